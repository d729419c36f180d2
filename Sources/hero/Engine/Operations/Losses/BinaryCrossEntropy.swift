import CCUDA
import Foundation

/// −log σ(x) where the target is 1, −log(1 − σ(x)) where it is 0, nothing where it is −1.
struct BinaryCrossEntropy: LossOperation {
  let x: Tensor
  let targets: Indices
  let gradientScale: Float?
  /// [1, elements]
  let losses: Tensor

  func check() { precondition(targets.count == x.count && losses.count == x.count) }
  var reads: [(any Operand)?] { [x, targets] }

  func run(on cpu: CPUBackend) {
    var staged = Staged(cpu)
    defer { staged.finish() }
    let (x, losses) = (staged.writing(self.x, keeps: true).pointer, losses.pointer)
    for (i, target) in targets.onHost.enumerated() {
      let (loss, slope) = Self.lossAndSlope(logit: x[i], target: target)
      losses[i] = loss
      if let gradientScale { x[i] = slope * gradientScale }
    }
  }

  /// Returns the loss and its slope, without overflow at either end.
  private static func lossAndSlope(logit x: Float, target: Int32) -> (loss: Float, slope: Float) {
    guard target >= 0 else { return (0, 0) }
    // log(1 + e^x) = max(x, 0) + log(1 + e^−|x|)
    let softplus = max(x, 0) + log1p(exp(-abs(x)))
    let probability = x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x))
    return (softplus - (target > 0 ? x : 0), probability - (target > 0 ? 1 : 0))
  }

  func run(on gpu: CUDABackend) {
    gpu.launch(
      .binaryCrossEntropy, elements: x.count,
      hero_binary_arguments(
        x: x.view, targets: targets.numbers, losses: losses.floats, count: Int64(x.count),
        scale: gradientScale ?? 0, has_gradient: hasGradient))
  }
}
