import Corpus
import Engine
import Formats
import Model

/// A loader of one objective's batches over a list of videos (Docs/Computation.md §3).
///
/// The reference's `VideoMlmDataset`, `MfmDataset`, `FomDataset` and `VsmDataset`.
public struct PretrainingLoader<Asked: Objective>: BatchLoader {
  /// The objective, which draws masks, shuffles frames or picks sentences.
  public let objective: Asked
  /// The videos of one corpus, from one or several feature stores.
  public let videos: PretrainingVideos
  /// The shape of the model that reads the batches.
  public let model: ModelConfiguration
  /// The report of the videos that cannot be used.
  public let skips: SkipReport
  private let maxTextLength: Int

  /// - Parameter skips: reports every video that cannot be used.
  /// - Throws: `DataError` if a subtitle store's special tokens lie outside the model's vocabulary.
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

  /// The number of videos; the objective chooses how many sentences of each it uses.
  public var itemCount: Int { videos.count }
  /// Returns the number of frames of the video.
  public func frames(of item: Int) -> Int {
    let (part, id) = videos.video(item)
    return part.reader.frameCount(of: id) ?? 0
  }
  /// The items in words: `4000 videos`.
  public var summary: String { "\(itemCount) videos" }

  /// Returns the batch of these videos; nil if the objective has nothing to ask about any.
  ///
  /// Such videos have no words, no shuffled frames, or no sentences with frames.
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

/// A video with the settings that make its text.
public struct PretrainingVideo {
  let item: VideoItem
  let meta: StoreMeta
  private let context: Int
  private let maxTextLength: Int
  /// The stream of its masks and samples.
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

  /// Returns a sentence's ids after those of its context, without the sentences in `omitted`.
  ///
  /// Each sentence is cut to `max_txt_len`.
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
