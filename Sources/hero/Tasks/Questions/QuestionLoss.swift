import Engine
import Foundation
import Model

extension QuestionModel {
  /// Cross-entropy of the right answers, and half that of the moments' first frames and of their last.
  ///
  /// - Parameter spanWeight: `lw_st_ed`, which the second weighs in the gradient.
  /// - Returns: both, unweighted means over the questions where they are known.
  public func loss(_ tape: Tape, _ batch: QuestionBatch, spanWeight: Float) -> (answer: Float, span: Float) {
    let output = self(tape, batch, withSpans: spanWeight != 0)
    let answer = meanCrossEntropy(
      tape, output.answers, Segments(lengths: batch.pairsPerQuestion), batch.targets, known: batch.targets,
      weight: 1)
    guard let spans = output.spans else { return (answer, 0) }
    let starts = batch.spans.map(\.start)
    let span = meanCrossEntropy(
      tape, spans.logits, spans.segments, starts + batch.spans.map(\.end), known: starts,
      weight: spanWeight / 2)
    return (answer, span / 2)
  }

  /// Σ over the rows of logits of the mean cross-entropy where the target is known.
  private func meanCrossEntropy(
    _ tape: Tape, _ logits: Tensor, _ segments: Segments, _ targets: [Int], known: [Int], weight: Float
  ) -> Float {
    let count = known.lazy.filter { $0 >= 0 }.count
    guard count > 0 else { return 0 }
    let losses = tape.segmentCrossEntropy(
      logits, segments: segments, targets: Indices(targets), weight: weight / Float(count))
    return losses.reduce(0, +) / Float(count)
  }
}

extension StatementModel {
  /// Mean binary cross-entropy over the statements whose truth is known.
  public func loss(_ tape: Tape, _ batch: QuestionBatch) -> Float {
    let logits = self(tape, batch)
    let count = Float(batch.targets.lazy.filter { $0 >= 0 }.count)
    guard count > 0 else { return 0 }
    var total: Float = 0
    tape.customLoss([logits]) { values in
      let terms = zip(values[0], batch.targets).map { binaryCrossEntropy(logit: $0, target: $1) }
      total = terms.reduce(0) { $0 + $1.loss }
      return [terms.map { $0.slope / count }]
    }
    return total / count
  }
}

/// −log σ(x) or −log(1 − σ(x)) and its slope, without overflow at either end; nothing for a target of −1.
func binaryCrossEntropy(logit x: Float, target: Int) -> (loss: Float, slope: Float) {
  guard target >= 0 else { return (0, 0) }
  // log(1 + e^x) = max(x, 0) + log(1 + e^−|x|)
  let softplus = max(x, 0) + log1p(exp(-abs(x)))
  let probability = x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x))
  return (softplus - (target > 0 ? x : 0), probability - (target > 0 ? 1 : 0))
}
