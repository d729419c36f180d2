import Engine
import Model

/// Weights and settings of the retrieval losses, with the reference's keys.
public struct RetrievalLossOptions: Equatable, Sendable {
  /// The ranking loss: `ranking_loss_type`, `margin` and the weights of negatives.
  public var ranking = RankingOptions()
  /// `lw_neg_ctx`
  public var contextWeight: Float = 8
  /// `lw_neg_q`
  public var queryWeight: Float = 8
  /// `lw_st_ed`
  public var spanWeight: Float = 0.01
  /// The probability that a batch skips its span loss: `drop_svmr_prob`.
  public var spanDropProbability: Float = 0

  /// Makes the defaults above; a run's options override each.
  public init() {}
}

extension RetrievalBatch: TaskBatch {}
extension RetrievalInput: TaskInput {
  /// The counts of known first and last frames, and of the queries, slots and videos ranked.
  public var counts: [Counted: Int] {
    [
      .starts: starts.known, .ends: ends.known, .queries: queries.count, .slots: slots.count,
      .videos: videos.segments.count,
    ]
  }
}

extension RetrievalModel {
  /// Computes the loss of Docs/Computation.md §3 for VSM, VCMR and VR.
  ///
  /// Each query is compared with all ranks' videos, as in one process with the whole batch. Every
  /// rank therefore computes the ranking of the whole batch.
  /// - Parameters:
  ///   - input: this rank's part of the batch; nil where it has none.
  ///   - share: each rank's counts, from `RetrievalInput.counts`; nil for a process that runs
  ///     alone.
  ///   - random: decides whether the span loss is dropped, and draws negatives.
  /// - Returns: the parts by the reference's names: `st_ed`, `neg_ctx`, `neg_q`. The first rank has
  ///   the whole value of the last two, the other ranks none.
  public func loss(
    _ tape: Tape, _ input: RetrievalInput?, _ options: RetrievalLossOptions, among share: BatchShare? = nil,
    random: inout RandomStream
  ) -> [LossTerm] {
    let share = share ?? BatchShare(alone: input?.counts ?? [:])
    var terms = Self.parts(options)
    let encoded = input.map { encode(tape, $0) }
    let dropped =
      tape.isTraining && options.spanDropProbability > 0 && random.uniform() <= options.spanDropProbability
    if options.spanWeight != 0, !dropped, let input, let encoded {
      terms[0].value = spanLoss(
        tape, input, share, queries: encoded.queries, frames: encoded.frames, options.spanWeight)
    }
    if options.contextWeight != 0 || options.queryWeight != 0 {
      let (scores, slots) = rankedScores(tape, input, share, encoded)
      let ranking = options.ranking.input(
        scores: scores, slots: slots, queriesPerSlot: share.total(.queries) / max(1, share.total(.slots)),
        on: tape.backend, random: &random)
      let losses = tape.ranking(ranking, weights: (options.contextWeight, options.queryWeight))
      // All ranks compute the same values; one reports them.
      if options.contextWeight != 0, tape.communicator.isFirst { terms[1].value = losses.element(0) }
      if options.queryWeight != 0, tape.communicator.isFirst { terms[2].value = losses.element(1) }
    }
    return terms
  }

  /// Returns the parts of the loss, without values.
  static func parts(_ options: RetrievalLossOptions) -> [LossTerm] {
    [
      LossTerm("st_ed", nil, weight: options.spanWeight),
      LossTerm("neg_ctx", nil, weight: options.contextWeight),
      LossTerm("neg_q", nil, weight: options.queryWeight),
    ]
  }

  /// Computes every query's score with every video of all ranks, and the videos of the slots.
  ///
  /// The ranks exchange queries, which are few. Each rank compares all of them with its own videos'
  /// frames, then the ranks exchange the scores.
  private func rankedScores(
    _ tape: Tape, _ input: RetrievalInput?, _ share: BatchShare, _ encoded: (frames: Tensor, queries: Tensor)?
  ) -> (scores: Tensor, slots: Indices) {
    let (communicator, backend) = (tape.communicator, tape.backend)
    if communicator.size == 1, let input, let encoded {
      let scores = videoScores(
        tape, queries: encoded.queries, frames: encoded.frames, videos: input.videos.segments)
      return (scores, input.slots)
    }
    let width = configuration.cross.hiddenSize
    let own = encoded.map { normalized(tape, $0.queries) } ?? backend.makeTensor(rows: 0, columns: width)
    let queries = tape.gatherRows(own, counts: share.byRank(.queries))
    // One video per row, so that the ranks' rows can be stacked.
    var scores = backend.makeTensor(rows: 0, columns: queries.rows)
    if let input, let encoded {
      let similarity = tape.linear(queries, normalized(tape, encoded.frames))
      scores = tape.transpose(tape.segmentMax(similarity, segments: input.videos.segments))
    }
    let first = Int32(share.before(.videos))
    let slots = communicator.gather(
      (input.map { backend.values(of: $0.slots) } ?? []).map { first + $0 }, counts: share.byRank(.slots))
    return (tape.transpose(tape.shareRows(scores, counts: share.byRank(.videos))), backend.makeIndices(slots))
  }

  private func spanLoss(
    _ tape: Tape, _ input: RetrievalInput, _ share: BatchShare, queries: Tensor, frames: Tensor,
    _ weight: Float
  ) -> Tensor {
    let logits = spanLogits(
      tape, queries: queries, frames: frames, pairs: input.pairs, places: input.places)
    let total = tape.backend.makeSums()
    for (values, targets, known) in [
      (logits.start, input.starts, share.total(.starts)), (logits.end, input.ends, share.total(.ends)),
    ] where targets.known > 0 {
      let losses = tape.segmentCrossEntropy(
        values, segments: input.places, targets: targets.places, weight: weight / Float(known))
      tape.backend.run(AddSum(losses, scale: 1 / Double(known), to: total, at: 0))
    }
    return total
  }
}
