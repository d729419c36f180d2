import Engine
import Model

extension QuestionModel {
  /// Cross-entropy of the right answers, and half that of the moments' first frames and of their last.
  ///
  /// - Parameter spanWeight: `lw_st_ed`, which the second weighs in the gradient.
  /// - Returns: both as `qa` and `st_ed`, means over the questions where they are known.
  public func loss(_ tape: Tape, _ input: QuestionInput, spanWeight: Float) -> [LossTerm] {
    let output = self(tape, input, withSpans: spanWeight != 0)
    return [
      LossTerm(
        "qa",
        mean(
          tape, output.answers, input.answers, input.targets, known: input.knownTargets, gradient: 1, share: 1
        )),
      LossTerm(
        "st_ed",
        output.spans.flatMap {
          mean(
            tape, $0, input.questionFrames, input.spanTargets, known: input.knownSpans,
            gradient: spanWeight, share: 0.5)
        }, weight: spanWeight),
    ]
  }

  /// Σ over the rows of logits of the mean cross-entropy where the target is known, times `share`; its gradient weighs
  /// `gradient`.
  private func mean(
    _ tape: Tape, _ logits: Tensor, _ segments: Segments, _ targets: Indices, known: Int, gradient: Float,
    share: Float
  ) -> Tensor? {
    guard known > 0 else { return nil }
    let losses = tape.segmentCrossEntropy(
      logits, segments: segments, targets: targets, weight: gradient * share / Float(known))
    return tape.sum([losses], scale: Double(share) / Double(known))
  }
}

extension StatementModel {
  /// Mean binary cross-entropy over the statements whose truth is known, as `loss`.
  public func loss(_ tape: Tape, _ input: QuestionInput) -> [LossTerm] {
    let logits = self(tape, input)
    guard input.knownTargets > 0 else { return [LossTerm("loss", nil)] }
    let losses = tape.binaryCrossEntropy(
      logits, targets: input.targets, weight: 1 / Float(input.knownTargets))
    return [LossTerm("loss", tape.sum([losses], scale: 1 / Double(input.knownTargets)))]
  }
}
