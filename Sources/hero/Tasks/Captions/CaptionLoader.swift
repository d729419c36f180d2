import Corpus
import Engine
import Formats
import Model

/// Batches of videos with their captions (Docs/Computation.md §1, §3 "TVC"; the reference's `TvcTrainDataset`).
public struct CaptionLoader: BatchLoader {
  public let captions: CaptionStore
  public let videos: VideoReader
  /// The video of each item.
  public let names: [String]
  /// The caption of each item where it is one; nil where an item is a video with its captions.
  private let captionIDs: [String]?
  /// Seconds between frames.
  public let frameInterval: Double
  /// What the batches are for.
  public let model: ModelConfiguration
  private let captionsPerVideo: Int
  /// Tokens of a caption, `[BOS]` included.
  private let maxTextLength: Int
  public let skips: SkipReport

  /// - Parameters:
  ///   - maxTextLength: `max_txt_len`; captions are cut to it where it is positive, and to what the decoder holds.
  ///   - captionsPerVideo: `max_cap_per_vid`, drawn from a video's captions if it has more; all are used if it is not
  ///     positive.
  ///   - skips: told of every video, clip or caption that cannot be used.
  /// - Throws: `DataError` where the stores lack more than half of the videos.
  public init(
    captions: CaptionStore, videos: VideoReader, maxTextLength: Int, captionsPerVideo: Int,
    frameInterval: Double, model: ModelConfiguration,
    skips: SkipReport = SkipReport()
  ) throws {
    self.captions = captions
    self.videos = videos
    self.frameInterval = frameInterval
    self.model = model
    self.captionsPerVideo = captionsPerVideo > 0 ? captionsPerVideo : .max
    let held = model.decoder?.positions ?? 0
    self.maxTextLength = maxTextLength > 0 ? min(maxTextLength, held) : held
    self.skips = skips
    // VALUE's captioners go through queries one by one; a number of captions a video says that videos are meant.
    if captions.holdsQueries, captionsPerVideo <= 0 {
      let pairs = captions.captionIDs
      (names, captionIDs) = (pairs.map(\.video), pairs.map(\.id))
    } else {
      (names, captionIDs) = (captions.videos, nil)
    }
    try videos.requireMost(names, "videos", file: captions.path)
  }

  public var itemCount: Int { names.count }

  public func batch(of items: [Int], random: RandomStream) throws -> CaptionBatch? {
    var read: [VideoItem] = []
    var clips: [(video: Int, frames: Range<Int>)] = []
    var (inputs, targets): ([[Int32]], [[Int32]]) = ([], [])
    for (place, item) in items.enumerated() {
      let name = names[item]
      var random = random.following(place)
      do {
        let video = try videos.read(name)
        try video.check(model)
        let ids = captionIDs.map { [$0[item]] } ?? captions.captionIDs(of: name)
        let described = described(video, ids, random: &random)
        guard !described.isEmpty else { throw DataError("none of its captions can be used") }
        for (frames, tokens) in described {
          clips.append((read.count, frames))
          inputs.append(Array(([captions.meta.bos] + tokens).prefix(maxTextLength)))
          targets.append(Array((tokens + [captions.meta.eos]).prefix(maxTextLength)))
        }
        read.append(video)
      } catch let error as DataError {
        skips.skip("video \"\(name)\"", file: captions.path, error)
      }
    }
    guard !clips.isEmpty else { return nil }
    return CaptionBatch(
      videos: try VideoBatch(read, model: model), clips: clips, inputs: inputs, targets: targets)
  }

  /// Captions of a video with their clips' frames; as many as are wanted, drawn if there are more.
  private func described(
    _ video: VideoItem, _ ids: [String], random: inout RandomStream
  ) -> [(frames: Range<Int>, tokens: [Int32])] {
    var ids = ids
    if ids.count > captionsPerVideo {
      ids = Array(ids.shuffled(using: &random).prefix(captionsPerVideo))
    }
    return ids.compactMap { id in
      do {
        let caption = try captions.caption(id)
        try check(caption.caption.tokens)
        guard let frames = caption.span.clip(frames: video.frameCount, interval: frameInterval) else {
          let error = DataError.clipBeyondVideo(video.name, frames: video.frameCount)
          skips.skip("clip \(caption.clip)", file: captions.path, error, isPart: true)
          return nil
        }
        return (frames, caption.caption.tokens)
      } catch {
        skips.skip("caption \(id)", file: captions.path, error, isPart: true)
      }
      return nil
    }
  }

  /// - Throws: `DataError` for ids that the model gives no score.
  private func check(_ tokens: [Int32]) throws {
    let known = model.cross.vocabulary ?? 0
    for token in tokens + [captions.meta.bos, captions.meta.eos] where token < 0 || token >= known {
      throw DataError(
        "holds the token \(token), the model knows \(known)",
        cure: "Use the stores and the model of one tokenizer")
    }
  }
}

extension DataError {
  /// What keeps a clip from being used: it starts after the last frame that is left of its video.
  static func clipBeyondVideo(_ video: String, frames: Int) -> DataError {
    DataError(
      "the clip starts after the last of the \(frames) frames of \"\(video)\"",
      cure: "Raise max_clip_len, or leave the clip out")
  }
}
