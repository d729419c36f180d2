import Corpus
import Engine
import Formats
import Model

/// Batches of videos with their captions (Docs/Computation.md §1, §3 "TVC"; the reference's
/// `TvcTrainDataset`).
public struct CaptionLoader: BatchLoader {
  /// As one corpus: the videos of one after those of the other.
  public let stores: [CaptionStore]
  /// Where the frames and subtitles of the clips come from.
  public let videos: VideoReader
  /// The videos to use, with their places among the stores; and the caption of each item where it
  /// is one, nil where an item is a video with its captions.
  public let names: [(store: Int, video: String, caption: String?)]
  /// Seconds between frames.
  public let frameInterval: Double
  /// What the batches are for.
  public let model: ModelConfiguration
  private let captionsPerVideo: Int
  /// Tokens of a caption, `[BOS]` included.
  private let maxTextLength: Int
  /// Which videos, clips and captions went unused, and why.
  public let skips: SkipReport

  /// - Parameters:
  ///   - maxTextLength: `max_txt_len`; captions are cut to it where it is positive, and to what the
  ///     decoder holds.
  ///   - captionsPerVideo: `max_cap_per_vid`, drawn from a video's captions if it has more; all are
  ///     used if it is not positive.
  ///   - skips: reports every video, clip or caption that cannot be used.
  /// - Throws: `DataError` where the stores lack more than half of the videos.
  public init(
    captions stores: [CaptionStore], videos: VideoReader, maxTextLength: Int, captionsPerVideo: Int,
    frameInterval: Double, model: ModelConfiguration,
    skips: SkipReport = SkipReport()
  ) throws {
    self.stores = stores
    self.videos = videos
    self.frameInterval = frameInterval
    self.model = model
    self.captionsPerVideo = captionsPerVideo > 0 ? captionsPerVideo : .max
    let held = model.decoder?.positions ?? 0
    self.maxTextLength = maxTextLength > 0 ? min(maxTextLength, held) : held
    self.skips = skips
    names = stores.enumerated().flatMap { place, store -> [(store: Int, video: String, caption: String?)] in
      // VALUE's captioners go through queries one by one; a number of captions a video says that
      // videos are meant.
      if store.holdsQueries, captionsPerVideo <= 0 {
        return store.captionIDs.map { (place, $0.video, $0.id) }
      }
      return store.videos.map { (place, $0, nil) }
    }
    for store in stores {
      try videos.require(store.meta, for: model)
      try videos.requireMost(store.videos, "videos", file: store.path)
    }
  }

  /// Videos, or captions where each is an item of its own.
  public var itemCount: Int { names.count }
  /// Of the whole video, which is encoded for any of its clips.
  public func frames(of item: Int) -> Int { videos.frameCount(of: names[item].video) ?? 0 }

  /// The clips of these videos with their captions: `[BOS] caption` as input, `caption [EOS]` as
  /// target, both cut to `max_txt_len`.
  ///
  /// - Returns: nil where no item can be used.
  public func batch(of items: [Int], random: RandomStream) throws -> CaptionBatch? {
    var read: [VideoItem] = []
    var clips: [(video: Int, frames: Range<Int>)] = []
    var (inputs, targets): ([[Int32]], [[Int32]]) = ([], [])
    for (place, item) in items.enumerated() {
      let (store, name, caption) = names[item]
      let captions = stores[store]
      var random = random.following(place)
      do {
        let video = try videos.read(name)
        try video.check(model)
        let ids = caption.map { [$0] } ?? captions.captionIDs(of: name)
        let described = described(video, ids, by: captions, random: &random)
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
    _ video: VideoItem, _ ids: [String], by captions: CaptionStore, random: inout RandomStream
  ) -> [(frames: Range<Int>, tokens: [Int32])] {
    var ids = ids
    if ids.count > captionsPerVideo {
      ids = Array(ids.shuffled(using: &random).prefix(captionsPerVideo))
    }
    return ids.compactMap { id in
      do {
        let caption = try captions.caption(id)
        try check(caption.caption.tokens + [captions.meta.bos, captions.meta.eos])
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
    for token in tokens where token < 0 || token >= known {
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
