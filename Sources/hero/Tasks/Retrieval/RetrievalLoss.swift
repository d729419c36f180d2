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

extension RetrievalModel {
  /// The loss of Docs/Computation.md §3 for VSM, VCMR and VR.
  ///
  /// - Parameter random: drops the span loss, draws negatives.
  /// - Returns: the parts by the reference's names: `st_ed`, `neg_ctx`, `neg_q`.
  public func loss(
    _ tape: Tape, _ input: RetrievalInput, _ options: RetrievalLossOptions, random: inout RandomStream
  ) -> [LossTerm] {
    var terms = [
      LossTerm("st_ed", nil, weight: options.spanWeight),
      LossTerm("neg_ctx", nil, weight: options.contextWeight),
      LossTerm("neg_q", nil, weight: options.queryWeight),
    ]
    let frames = videoEncoder(tape, input.videos)
    let queries = encodeQueries(tape, input.queries)
    let dropped =
      tape.isTraining && options.spanDropProbability > 0 && random.uniform() <= options.spanDropProbability
    if options.spanWeight != 0, !dropped {
      terms[0].value = spanLoss(tape, input, queries: queries, frames: frames, options.spanWeight)
    }
    if options.contextWeight != 0 || options.queryWeight != 0 {
      let scores = videoScores(tape, queries: queries, frames: frames, videos: input.videos.segments)
      let ranking = options.ranking.input(
        scores: scores, slots: input.slots, queriesPerSlot: input.queriesPerSlot, on: tape.backend,
        random: &random)
      let losses = tape.ranking(ranking, weights: (options.contextWeight, options.queryWeight))
      if options.contextWeight != 0 { terms[1].value = losses.element(0) }
      if options.queryWeight != 0 { terms[2].value = losses.element(1) }
    }
    return terms
  }

  private func spanLoss(
    _ tape: Tape, _ input: RetrievalInput, queries: Tensor, frames: Tensor, _ weight: Float
  ) -> Tensor {
    let logits = spanLogits(
      tape, queries: queries, frames: frames, pairs: input.pairs, places: input.places)
    let total = tape.backend.makeSums()
    for (values, targets) in [(logits.start, input.starts), (logits.end, input.ends)]
    where targets.known > 0 {
      let losses = tape.segmentCrossEntropy(
        values, segments: input.places, targets: targets.places, weight: weight / Float(targets.known))
      tape.backend.addSum(losses, scale: 1 / Double(targets.known), to: total, at: 0)
    }
    return total
  }
}
