import Corpus
import Engine
import Formats
import Model

/// Batches of one objective over a list of videos (Docs/Computation.md §3; the reference's
/// `VideoMlmDataset`, `MfmDataset`, `FomDataset` and `VsmDataset`).
public struct PretrainingLoader<Asked: Objective>: BatchLoader {
  /// Draws masks, moves frames or picks sentences of what is read.
  public let objective: Asked
  /// The videos of one corpus, from one or several feature stores.
  public let videos: PretrainingVideos
  /// What the batches are for.
  public let model: ModelConfiguration
  /// Which videos went unused, and why.
  public let skips: SkipReport
  private let maxTextLength: Int

  /// - Parameter skips: reports every video that cannot be used.
  /// - Throws: `DataError` where a subtitle store's special tokens are not the model's.
  public init(
    _ objective: Asked, videos: PretrainingVideos, maxTextLength: Int, model: ModelConfiguration,
    skips: SkipReport = SkipReport()
  ) throws {
    self.objective = objective
    self.videos = videos
    self.maxTextLength = maxTextLength
    self.model = model
    self.skips = skips
    for part in videos.parts {
      let meta = part.meta
      try checkTokens(
        [meta.cls, meta.sep, meta.mask, meta.vRange.lowerBound, meta.vRange.upperBound - 1], model,
        "meta.json of \(part.reader.subtitles?.path ?? "")")
    }
  }

  /// A video is an item; how many sentences of it are used is the objective's choice.
  public var itemCount: Int { videos.count }
  /// Of the video.
  public func frames(of item: Int) -> Int {
    let (part, id) = videos.video(item)
    return part.reader.frameCount(of: id) ?? 0
  }
  /// As in "4000 videos".
  public var summary: String { "\(itemCount) videos" }

  /// The batch of these videos; nil where the objective has nothing to ask of any of them (no word,
  /// no frame that moved, no sentence with frames).
  public func batch(of items: [Int], random: RandomStream) throws -> Asked.Batch? {
    let read = items.enumerated().compactMap { place, item in
      let (part, id) = videos.video(item)
      do {
        let video = try part.reader.read(id)
        try video.check(model)
        return PretrainingVideo(
          item: video, meta: part.meta, context: part.reader.contextLength,
          maxTextLength: maxTextLength, random: random.following(place))
      } catch {
        skips.skip("video \"\(id)\"", file: part.reader.features.path, error)
        return nil
      }
    }
    return read.isEmpty ? nil : try objective.batch(of: read, for: model)
  }
}

/// A video with what its text is made of.
public struct PretrainingVideo {
  let item: VideoItem
  let meta: StoreMeta
  private let context: Int
  private let maxTextLength: Int
  /// Where its masks and samples come from.
  let random: RandomStream

  fileprivate init(
    item: VideoItem, meta: StoreMeta, context: Int, maxTextLength: Int, random: RandomStream
  ) {
    self.item = item
    self.meta = meta
    self.context = context
    self.maxTextLength = maxTextLength
    self.random = random
  }

  /// A sentence's ids after those of its context, each sentence cut to `max_txt_len`, without those
  /// in `omitted`.
  func text(of sentence: Int, context: Int? = nil, omitting omitted: Set<Int> = []) -> [Int32] {
    var tokens: [Int32] = []
    for index in max(0, sentence - (context ?? self.context))...sentence
    where index < item.sentences.count && !omitted.contains(index) {
      let own = item.sentences[index]
      tokens += maxTextLength > 0 ? own.prefix(maxTextLength) : own[...]
    }
    return tokens
  }
}
