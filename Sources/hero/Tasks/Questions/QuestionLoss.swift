import Engine
import Model

extension QuestionBatch: TaskBatch {}
extension QuestionInput: TaskInput {
  /// The numbers of entries with a known answer (`.targets`) and with a known moment (`.moments`).
  public var counts: [Counted: Int] { [.targets: knownTargets, .moments: knownSpans] }
}

extension QuestionModel {
  /// Computes the cross-entropy of right answers, and half that of moments' first and last frames.
  ///
  /// - Parameters:
  ///   - input: this rank's part of the batch; nil where it has none.
  ///   - ranks: each rank's counts, from `QuestionInput.counts`; nil for a process that runs alone.
  ///   - spanWeight: the weight of the moments in the gradient (`lw_st_ed`).
  /// - Returns: `qa` and `st_ed`, means over the questions with a known answer or moment.
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

  /// Sums, over the rows of logits, the mean cross-entropy over known targets, times `share`.
  ///
  /// The gradient is also multiplied by `gradient`.
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
  /// Computes the mean binary cross-entropy of the statements with a known truth, as `loss`.
  /// - Parameters:
  ///   - input: this rank's part of the batch; nil where it has none.
  ///   - ranks: each rank's counts, from `QuestionInput.counts`; nil for a process that runs alone.
  ///   - spanWeight: unused, as statements are not about moments.
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
