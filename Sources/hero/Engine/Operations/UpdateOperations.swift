import Foundation

/// Adam's settings for one run of parameters with the same history and decay.
public struct OptimizerSlice {
  public var range: Range<Int>
  public var weightDecay: Float
  public var learningRate: Float
  /// Updates these parameters have seen, this one included.
  public var step: Int
}

public enum OptimizerKind: String, Sendable, CaseIterable {
  case adam, adamax, adamw
}

extension OptimizerSlice {
  /// The step with its bias corrections, and what the formula wants besides: the rate itself for
  /// AdamW's decay, the square root of the second moment's correction for Adam.
  func rates(_ kind: OptimizerKind, betas: (Float, Float)) -> (step: Float, carried: Float) {
    let correction1 = 1 - pow(Double(betas.0), Double(step))
    let correction2 = 1 - pow(Double(betas.1), Double(step))
    let rate = Double(learningRate)
    switch kind {
    case .adamw: return (Float(rate * correction2.squareRoot() / correction1), Float(rate))
    case .adam: return (Float(rate / correction1), Float(correction2.squareRoot()))
    case .adamax: return (Float(rate / correction1), Float(rate))
    }
  }
}

/// What ends an update.
public protocol UpdateOperations {
  /// sums[place] += Σ x². sums: float64.
  func addSumOfSquares(_ x: Tensor, to sums: Tensor, at place: Int)
  /// One update of the slices of `parameters`; `first` and `second` are the moments in the same
  /// places.
  /// - Parameter clipping: what every gradient is multiplied by first, found on the device.
  func optimizerStep(
    _ kind: OptimizerKind, slices: [OptimizerSlice], parameters: Tensor, gradients: Tensor, first: Tensor,
    second: Tensor, betas: (Float, Float), epsilon: Float, clipping: GradientClipping?)
}

/// Gradients scaled down to a norm, as PyTorch does it: to limit / (norm + 1e-6) where that is
/// below 1.
public struct GradientClipping {
  /// The sum of the squares of all gradients: one float64. Where it is not a finite number, the
  /// update changes nothing.
  public var sumOfSquares: Tensor
  /// The norm to keep to; no limit if it is not positive.
  public var limit: Double

  public init(sumOfSquares: Tensor, limit: Double) {
    self.sumOfSquares = sumOfSquares
    self.limit = limit
  }
}
