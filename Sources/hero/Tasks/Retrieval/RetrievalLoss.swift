import Engine
import Model

/// Weights and settings of the retrieval losses; keys in the reference's spelling stand beside each.
public struct RetrievalLossOptions: Equatable, Sendable {
  public var ranking = RankingOptions()
  /// `lw_neg_ctx`
  public var contextWeight: Float = 8
  /// `lw_neg_q`
  public var queryWeight: Float = 8
  /// `lw_st_ed`
  public var spanWeight: Float = 0.01
  /// `drop_svmr_prob`: how often a batch goes without its span loss.
  public var spanDropProbability: Float = 0

  public init() {}
}

/// Queries with the videos and spans they should find.
public struct RetrievalBatch: Sendable {
  public var videos: VideoBatch
  /// Token ids, a leading special token only where the task has one.
  public var queries: [[Int32]]
  /// The batch's videos in the order of ranking: query m belongs to slot m / queriesPerSlot.
  public var slots: [Int]
  public var queriesPerSlot: Int
  /// First and last frame of each query's moment; −1 where unknown.
  public var targets: [(start: Int, end: Int)]

  public init(
    videos: VideoBatch, queries: [[Int32]], slots: [Int], queriesPerSlot: Int = 1,
    targets: [(start: Int, end: Int)]
  ) {
    precondition(queries.count == slots.count * queriesPerSlot && targets.count == queries.count)
    self.videos = videos
    self.queries = queries
    self.slots = slots
    self.queriesPerSlot = queriesPerSlot
    self.targets = targets
  }

  /// Rows of the batch's frames that query `m`'s own video has.
  func pairs(_ segments: Segments) -> [Range<Int>] {
    queries.indices.map { segments[slots[$0 / queriesPerSlot]] }
  }
}

/// What a batch cost: the parts are weighted, their sum is the loss.
public struct RetrievalLoss: Equatable, Sendable {
  public var context: Float = 0
  public var query: Float = 0
  public var span: Float = 0
  public var total: Float { context + query + span }

  public init() {}
}

extension RetrievalModel {
  /// The loss of spec §6 for VSM, VCMR and VR.
  ///
  /// - Parameters:
  ///   - scale: of the gradients (1 but for tests).
  ///   - random: drops the span loss, draws negatives.
  public func loss(
    _ tape: Tape, _ batch: RetrievalBatch, _ options: RetrievalLossOptions, random: inout RandomStream
  ) -> RetrievalLoss {
    var result = RetrievalLoss()
    let frames = videoEncoder(tape, batch.videos)
    let segments = Segments(lengths: batch.videos.lengths)
    let queries = encodeQueries(tape, batch.queries)
    let dropped =
      tape.isTraining && options.spanDropProbability > 0 && random.uniform() <= options.spanDropProbability
    if options.spanWeight != 0, !dropped {
      result.span = spanLoss(tape, batch, queries: queries, frames: frames, segments, options.spanWeight)
    }
    if options.contextWeight != 0 || options.queryWeight != 0 {
      let scores = videoScores(tape, queries: queries, frames: frames, videos: segments)
      tape.customLoss([scores]) { values in
        let ranking = RankingLoss(
          scores: values[0], videos: segments.count, slots: batch.slots, queriesPerSlot: batch.queriesPerSlot,
          options: options.ranking, random: &random)
        result.context = options.contextWeight * ranking.context
        result.query = options.queryWeight * ranking.query
        return [
          zip(ranking.contextGradient, ranking.queryGradient).map {
            options.contextWeight * $0 + options.queryWeight * $1
          }
        ]
      }
    }
    return result
  }

  private func spanLoss(
    _ tape: Tape, _ batch: RetrievalBatch, queries: Tensor, frames: Tensor, _ segments: Segments,
    _ weight: Float
  ) -> Float {
    let logits = spanLogits(tape, queries: queries, frames: frames, pairs: batch.pairs(segments))
    var total: Float = 0
    for (values, targets) in [
      (logits.start, batch.targets.map(\.start)), (logits.end, batch.targets.map(\.end)),
    ] {
      let known = targets.lazy.filter { $0 >= 0 }.count
      guard known > 0 else { continue }
      let mean = weight / Float(known)
      let losses = tape.segmentCrossEntropy(
        values, segments: logits.segments, targets: Indices(targets), weight: mean)
      total += mean * losses.reduce(0, +)
    }
    return total
  }
}
