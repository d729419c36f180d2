import Corpus
import Engine
import Formats
import Model

/// VSM, which finds the video and the span of a sentence taken from the video's own subtitles.
struct SubtitleMatching: Objective {
  static let name = "vsm"
  static let settings: Set<PretrainingSettings.Kind> = [.ranking]
  private let options: RetrievalLossOptions
  private let curriculum: RetrievalCurriculum
  private let queriesPerVideo: Int

  init(_ settings: PretrainingSettings) {
    options = settings.ranking
    curriculum = settings.curriculum
    queriesPerVideo = settings.queriesPerVideo
  }

  func batch(of videos: [PretrainingVideo], for model: ModelConfiguration) throws -> RetrievalBatch? {
    var items: [VideoItem] = []
    var queries: [[Int32]] = []
    var targets: [FrameSpan] = []
    for video in videos {
      var random = video.random
      let subtitles = video.item.subtitles
      let candidates = subtitles.filter { !$0.frames.isEmpty }.map(\.index)
      guard !candidates.isEmpty else { continue }
      let chosen = Masking.sample(queriesPerVideo, of: candidates, random: &random)
      for subtitle in subtitles where chosen.contains(subtitle.index) {
        guard let first = subtitle.frames.first, let last = subtitle.frames.last else { continue }
        let query = [video.meta.cls] + video.text(of: subtitle.index, context: 0)
        try checkQuery(query, model, "subtitle \(subtitle.index) of video \"\(video.item.name)\"")
        queries.append(query)
        targets.append(
          FrameSpan(start: first, end: min(max(first + 1, last), video.item.frameCount - 1)))
      }
      for _ in chosen.count..<max(chosen.count, queriesPerVideo) {
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
      queriesPerSlot: queriesPerVideo, targets: targets)
  }

  func loss(
    _ model: PretrainingModel, _ tape: Tape, _ input: RetrievalInput?, among share: BatchShare, update: Int,
    random: inout RandomStream
  ) -> [LossTerm] {
    model.retrieval.loss(
      tape, input, curriculum.options(options, update: update), among: share, random: &random)
  }

  func measure(
    _ model: PretrainingModel, _ tape: Tape, _ input: RetrievalInput, first: Int,
    into sums: inout PretrainingSums
  ) {
    var options = options
    options.spanDropProbability = 0
    var random = RandomStream(seed: 0, step: UInt64(first), for: .validationLoss)
    let parts = model.retrieval.loss(tape, input, options, random: &random).read(on: tape.backend)
    let queries = Double(input.queries.count)
    // A single video has no negatives; the reference counts it as one query without loss.
    let ranked = input.slots.count > 1 ? queries : 1
    sums.count += queries
    sums.ranked += ranked
    for part in parts {
      switch part.name {
      case "st_ed": sums.spans += queries * Double(part.value)
      case "neg_ctx": sums.negativeVideos += ranked * Double(part.value)
      default: sums.negativeQueries += ranked * Double(part.value)
      }
    }
  }

  func figures(_ sums: PretrainingSums) -> [(name: String, value: Double)] {
    let (videos, queries) = (sums.negativeVideos / sums.ranked, sums.negativeQueries / sums.ranked)
    let overall =
      Double(options.spanWeight) * sums.mean(\.spans) + Double(options.contextWeight) * videos
      + Double(options.queryWeight) * queries
    return [
      ("loss_overall", overall), ("loss_st_ed", sums.mean(\.spans)), ("loss_neg_ctx", videos),
      ("loss_neg_q", queries),
    ]
  }
}

extension VideoItem {
  fileprivate func with(subtitles: [VideoSubtitle]) -> VideoItem {
    VideoItem(
      name: name, frameCount: frameCount, featureWidth: featureWidth, features: features,
      subtitles: subtitles, sentences: sentences)
  }
}
