/// What may follow a linear layer, fused with it.
public enum Activation: Sendable {
  case none, relu
  /// x·Φ(x), exact (erf).
  case gelu
  /// x·σ(1.702x), of networks that were trained elsewhere: no gradient goes back through it.
  case quickGELU
}

/// Matrix products with what is fused to them.
public protocol ProductOperations {
  /// Multiplications and additions that products (attention's included) have done so far.
  var operations: Int { get }
  /// The best rate of large float32 products here, in operations a second: what `operations`
  /// compare with.
  func measurePeak() -> Double

  /// out = activation(x·weightᵀ + bias); `pre` receives the argument of a GELU for its backward
  /// pass (it may be `out` where none will follow). x: [n, k], weight: [m, k], bias: m elements.
  func linear(_ x: Tensor, weight: Tensor, bias: Tensor?, activation: Activation, pre: Tensor, out: Tensor)
  /// `dy` is overwritten with the gradient of the activation's argument. `saved`: `pre` of a GELU,
  /// `out` of a ReLU. `dx` is done before `dWeight`: of x·xᵀ both are one tensor, and the second
  /// adds to what the first wrote.
  func linearBackward(
    _ dy: Tensor, x: Tensor, weight: Tensor, activation: Activation, saved: Tensor, dx: GradientTarget?,
    dWeight: GradientTarget?, dBias: GradientTarget?)
  /// What a backward pass needs of a GELU whose results were not kept: out = gelu(pre), and `dy`
  /// becomes the gradient of its argument `pre`.
  func geluAgain(_ pre: Tensor, dy: Tensor, out: Tensor)
}
