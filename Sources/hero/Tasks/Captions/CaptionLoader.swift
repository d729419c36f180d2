import Corpus
import Engine
import Formats
import Model

/// A loader of batches of videos with their captions (Docs/Computation.md §1, §3 "TVC").
///
/// The reference's `TvcTrainDataset`.
public struct CaptionLoader: BatchLoader {
  /// The stores, which form one corpus in this order.
  public let stores: [CaptionStore]
  /// The frames and subtitles of the clips' videos.
  public let videos: VideoReader
  /// The items, each a video and its store's place in `stores`.
  ///
  /// `caption` is nil where an item is a video with its captions, else the item's one caption.
  public let names: [(store: Int, video: String, caption: String?)]
  /// Seconds between frames.
  public let frameInterval: Double
  /// The shape of the model that reads the batches.
  public let model: ModelConfiguration
  private let captionsPerVideo: Int
  /// The most tokens of a caption, including `[BOS]`.
  private let maxTextLength: Int
  /// The report of the videos, clips and captions that cannot be used.
  public let skips: SkipReport

  /// - Parameters:
  ///   - maxTextLength: the most tokens of a caption (`max_txt_len`), if positive. Captions are
  ///     also cut to the decoder's positions.
  ///   - captionsPerVideo: the number of captions drawn from a video that has more
  ///     (`max_cap_per_vid`); all are used if it is not positive.
  ///   - skips: reports every video, clip or caption that cannot be used.
  /// - Throws: `DataError` if the stores lack more than half of the videos.
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
      // VALUE's captioners go through queries one by one, unless captions per video are set.
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

  /// The number of videos, or of captions where each is an item.
  public var itemCount: Int { names.count }
  /// Returns the number of frames of the whole video, which any of its clips needs encoded.
  public func frames(of item: Int) -> Int { videos.frameCount(of: names[item].video) ?? 0 }

  /// Returns the clips of these videos with their captions.
  ///
  /// The input is `[BOS] caption`, the target `caption [EOS]`, both cut to `max_txt_len`.
  /// - Returns: nil if no item can be used.
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

  /// Returns captions of a video with their clips' frames, drawn if there are more than wanted.
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

  /// - Throws: `DataError` for ids outside the vocabulary that the model scores.
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
  /// Returns the error of a clip that starts after the last frame kept of its video.
  static func clipBeyondVideo(_ video: String, frames: Int) -> DataError {
    DataError(
      "the clip starts after the last of the \(frames) frames of \"\(video)\"",
      cure: "Raise max_clip_len, or leave the clip out")
  }
}
