import Engine
import Model

extension QuestionBatch: TaskBatch {}
extension QuestionInput: TaskInput {
  /// `.targets`: entries whose answer is known; `.moments`: entries whose moment is.
  public var counts: [Counted: Int] { [.targets: knownTargets, .moments: knownSpans] }
}

extension QuestionModel {
  /// Cross-entropy of the right answers, and half that of the moments' first frames and of their
  /// last.
  ///
  /// - Parameters:
  ///   - input: nil where this rank has none of the batch.
  ///   - ranks: what each rank has of it, by `QuestionInput.counts`; nil for a process that is
  ///     alone.
  ///   - spanWeight: `lw_st_ed`, which the second weighs in the gradient.
  /// - Returns: both as `qa` and `st_ed`, means over the questions where they are known.
  public func loss(
    _ tape: Tape, _ input: QuestionInput?, among ranks: BatchShare? = nil, spanWeight: Float
  ) -> [LossTerm] {
    var terms = [LossTerm("qa", nil), LossTerm("st_ed", nil, weight: spanWeight)]
    guard let input else { return terms }
    let ranks = ranks ?? BatchShare(alone: input.counts)
    let output = self(tape, input, withSpans: spanWeight != 0)
    if input.knownTargets > 0 {
      terms[0].value = mean(
        tape, output.answers, input.answers, input.targets, known: ranks.total(.targets), gradient: 1,
        share: 1)
    }
    if input.knownSpans > 0, let spans = output.spans {
      terms[1].value = mean(
        tape, spans, input.questionFrames, input.spanTargets, known: ranks.total(.moments),
        gradient: spanWeight,
        share: 0.5)
    }
    return terms
  }

  /// Σ over the rows of logits of the mean cross-entropy where the target is known, times `share`;
  /// its gradient weighs `gradient`.
  private func mean(
    _ tape: Tape, _ logits: Tensor, _ segments: Segments, _ targets: Indices, known: Int, gradient: Float,
    share: Float
  ) -> Tensor {
    let losses = tape.segmentCrossEntropy(
      logits, segments: segments, targets: targets, weight: gradient * share / Float(known))
    return tape.sum([losses], scale: Double(share) / Double(known))
  }
}

extension StatementModel {
  /// Mean binary cross-entropy over the statements whose truth is known, as `loss`.
  /// - Parameters:
  ///   - input: nil where this rank has none of the batch.
  ///   - ranks: what each rank has of it, by `QuestionInput.counts`; nil for a process that is
  ///     alone.
  ///   - spanWeight: means nothing, as statements are not about moments.
  public func loss(
    _ tape: Tape, _ input: QuestionInput?, among ranks: BatchShare? = nil, spanWeight: Float = 0
  ) -> [LossTerm] {
    guard let input else { return [LossTerm("loss", nil)] }
    let logits = self(tape, input)
    guard input.knownTargets > 0 else { return [LossTerm("loss", nil)] }
    let known = (ranks ?? BatchShare(alone: input.counts)).total(.targets)
    let losses = tape.binaryCrossEntropy(logits, targets: input.targets, weight: 1 / Float(known))
    return [LossTerm("loss", tape.sum([losses], scale: 1 / Double(known)))]
  }
}
