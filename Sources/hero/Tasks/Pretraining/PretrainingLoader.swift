import Corpus
import Engine
import Formats
import Model

/// Batches of one objective over a list of videos (Docs/Computation.md §3; the reference's `VideoMlmDataset`, `MfmDataset`,
/// `FomDataset` and `VsmDataset`).
public struct PretrainingLoader: BatchLoader {
  public typealias Batch = PretrainingBatch

  public let objective: PretrainingObjective
  public let videos: PretrainingVideos
  public let options: PretrainingOptions

  /// What the batches are for.
  public let model: ModelConfiguration
  public let skips: SkipReport

  /// - Parameter skips: told of every video that cannot be used.
  /// - Throws: `DataError` where a subtitle store's special tokens are not the model's.
  public init(
    _ objective: PretrainingObjective, videos: PretrainingVideos, options: PretrainingOptions,
    model: ModelConfiguration, skips: SkipReport = SkipReport()
  ) throws {
    self.objective = objective
    self.videos = videos
    self.options = options
    self.model = model
    self.skips = skips
    for part in videos.parts {
      let meta = part.meta
      try checkTokens(
        [meta.cls, meta.sep, meta.mask, meta.vRange.lowerBound, meta.vRange.upperBound - 1], model,
        "meta.json of \(part.reader.subtitles?.path ?? "")")
    }
  }

  public var itemCount: Int { videos.count }

  /// The batch of these videos; nil where the objective has nothing to ask of any of them (no word, no frame that
  /// moved, no sentence with frames).
  public func batch(of items: [Int], random: RandomStream) throws -> PretrainingBatch? {
    let read = items.enumerated().compactMap { place, item in
      let (part, id) = videos.video(item)
      do {
        let video = try part.reader.read(id)
        try video.check(model)
        return Video(
          item: video, meta: part.meta, context: part.reader.contextLength,
          maxTextLength: options.maxTextLength, random: random.following(place))
      } catch {
        skips.skip("video \"\(id)\"", file: part.reader.features.path, error)
        return nil
      }
    }
    guard !read.isEmpty else { return nil }
    switch objective {
    case .mlm: return try maskedWords(read).map { .maskedWords($0) }
    case .mfmNCE, .mffr: return .maskedFrames(try maskedFrames(read))
    case .fom: return try frameOrder(read).map { .frameOrder($0) }
    case .vsm: return try moments(read).map { .moments($0) }
    }
  }

  private func maskedWords(_ videos: [Video]) throws -> MaskedTextBatch? {
    var batch = MaskedTextBatch(
      features: [], featureWidth: model.featureWidth, sequences: [], masked: [], targets: [])
    var (rows, tokens) = (0, 0)
    for video in videos {
      var random = video.random
      for subtitle in video.item.subtitles {
        let text = video.text(of: subtitle.index)
        // A sentence without words has none to hide.
        guard !text.isEmpty else { continue }
        let (hidden, places) = Masking.words(
          text, probability: options.maskProbability, mask: video.meta.mask, replacements: video.meta.vRange,
          random: &random)
        batch.masked += places.map { tokens + 1 + $0 }
        batch.targets += places.map { text[$0] }
        for frame in subtitle.frames { batch.features += video.item.feature(of: frame) }
        batch.sequences.append(
          SubtitleSequence(
            frames: Array(rows..<rows + subtitle.frames.count), tokens: [video.meta.cls] + hidden))
        rows += subtitle.frames.count
        tokens += 1 + text.count
      }
    }
    // The embedding's last rows are padding, which nothing can predict.
    let known = model.cross.vocabulary ?? 0
    if let target = batch.targets.first(where: { $0 >= known }) {
      throw DataError(
        "a subtitle holds the token \(target), the model predicts \(known)",
        cure: "Use the stores and the model of one tokenizer")
    }
    return batch.masked.isEmpty ? nil : batch
  }

  private func maskedFrames(_ videos: [Video]) throws -> MaskedFrameBatch {
    let whole = try VideoBatch(videos.map(\.item), model: model)
    var masked: [Int] = []
    var first = 0
    for (video, length) in zip(videos, whole.lengths) {
      var random = video.random
      masked += Masking.frames(length, probability: options.maskProbability, random: &random).map {
        first + $0
      }
      first += length
    }
    return MaskedFrameBatch(hiding: masked, of: whole)
  }

  private func frameOrder(_ videos: [Video]) throws -> FrameOrderBatch? {
    var batch = FrameOrderBatch(
      videos: try VideoBatch(videos.map(\.item), model: model),
      order: Array(0..<videos.reduce(0) { $0 + $1.item.frameCount }),
      places: [],
      targets: [])
    var first = 0
    for (video, length) in zip(videos, batch.videos.lengths) {
      var random = video.random
      let (order, moved) = Masking.order(
        length, among: model.frameOrderPlaces, probability: options.maskProbability, random: &random)
      for frame in moved {
        batch.order[first + frame] = first + order[frame]
        batch.places.append(first + order[frame])
        batch.targets.append(frame)
      }
      first += length
    }
    return batch.places.isEmpty ? nil : batch
  }

  private func moments(_ videos: [Video]) throws -> RetrievalBatch? {
    var items: [VideoItem] = []
    var queries: [[Int32]] = []
    var targets: [FrameSpan] = []
    for video in videos {
      var random = video.random
      let subtitles = video.item.subtitles
      let candidates = subtitles.filter { !$0.frames.isEmpty }.map(\.index)
      guard !candidates.isEmpty else { continue }
      let chosen = Masking.sample(options.queriesPerVideo, of: candidates, random: &random)
      for subtitle in subtitles where chosen.contains(subtitle.index) {
        guard let first = subtitle.frames.first, let last = subtitle.frames.last else { continue }
        let query = [video.meta.cls] + video.text(of: subtitle.index, context: 0)
        try checkQuery(query, model, "subtitle \(subtitle.index) of video \"\(video.item.name)\"")
        queries.append(query)
        targets.append(
          FrameSpan(start: first, end: min(max(first + 1, last), video.item.frameCount - 1)))
      }
      for _ in chosen.count..<max(chosen.count, options.queriesPerVideo) {
        queries.append(queries[queries.count - 1])
        targets.append(targets[targets.count - 1])
      }
      let rest = subtitles.map { subtitle in
        VideoSubtitle(
          index: subtitle.index, frames: subtitle.frames,
          tokens: [video.meta.sep] + video.text(of: subtitle.index, omitting: chosen))
      }
      items.append(video.item.with(subtitles: rest))
    }
    guard !items.isEmpty else { return nil }
    return RetrievalBatch(
      videos: try VideoBatch(items, model: model), queries: queries, slots: Array(items.indices),
      queriesPerSlot: options.queriesPerVideo, targets: targets)
  }
}

/// A video with what its text is made of.
private struct Video {
  let item: VideoItem
  let meta: StoreMeta
  let context: Int
  let maxTextLength: Int
  /// Where its masks and samples come from.
  let random: RandomStream

  /// A sentence's ids after those of its context, each sentence cut to `maxTextLength`, without those in `omitted`.
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

extension VideoItem {
  fileprivate func feature(of frame: Int) -> ArraySlice<Float> {
    features[frame * featureWidth..<(frame + 1) * featureWidth]
  }

  fileprivate func with(subtitles: [VideoSubtitle]) -> VideoItem {
    VideoItem(
      name: name, frameCount: frameCount, featureWidth: featureWidth, features: features,
      subtitles: subtitles, sentences: sentences)
  }
}
