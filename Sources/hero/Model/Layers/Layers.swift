import Engine

/// Layer-norm epsilon outside the transformer layers.
let outerEpsilon: Float = 1e-5
/// Layer-norm epsilon inside the transformer layers.
let innerEpsilon: Float = 1e-12

/// y = activation(x·Wᵀ + b). Parameters `NAME.weight` [out, in] and `NAME.bias` [out].
struct Linear {
  let weight: Parameter
  let bias: Parameter?

  init(
    _ store: ParameterStore, _ name: String, _ inputs: Int, _ outputs: Int, deviation: Float,
    bias: Bool = true
  ) {
    weight = store.add("\(name).weight", [outputs, inputs], .normal(deviation: deviation))
    self.bias = bias ? store.add("\(name).bias", [outputs], .constant(0)) : nil
  }

  var arrays: LinearArrays { (weight.tensor, bias?.tensor) }

  func callAsFunction(_ tape: Tape, _ x: Tensor, activation: Activation = .none) -> Tensor {
    tape.linear(x, weight.tensor, bias?.tensor, activation: activation)
  }
}

/// Layer norm. Parameters `NAME.weight` and `NAME.bias`.
struct LayerNorm {
  let gamma: Parameter
  let beta: Parameter
  let epsilon: Float

  init(_ store: ParameterStore, _ name: String, _ width: Int, epsilon: Float = outerEpsilon) {
    gamma = store.add("\(name).weight", [width], .constant(1))
    beta = store.add("\(name).bias", [width], .constant(0))
    self.epsilon = epsilon
  }

  /// dropout(LN(residual + dropout(x))); see `Tape.layerNorm`.
  func callAsFunction(
    _ tape: Tape, _ x: Tensor, residual: Tensor? = nil, innerDropout: Float = 0, outerDropout: Float = 0,
    overwriting: Bool = false
  ) -> Tensor {
    tape.layerNorm(
      x, residual: residual, gamma.tensor, beta.tensor, epsilon: epsilon, innerDropout: innerDropout,
      outerDropout: outerDropout, overwriting: overwriting)
  }
}

/// A table of learnt rows. Parameter `NAME.weight` [rows, width].
struct Embedding {
  let weight: Parameter

  /// - Parameter zeroRows: rows from the first that mean "nothing".
  init(
    _ store: ParameterStore, _ name: String, _ rows: Int, _ width: Int, deviation: Float, zeroRows: Int = 0
  ) {
    weight = store.add("\(name).weight", [rows, width], .normal(deviation: deviation, zeroRows: zeroRows))
  }
}

/// dropout(LN) → linear → ReLU, the reference's `LinearLayer`. Parameters `NAME.LayerNorm.*`, `NAME.net.1.*`.
struct NormedProjection {
  let norm: LayerNorm
  let linear: Linear
  let dropout: Float

  init(
    _ store: ParameterStore, _ name: String, _ inputs: Int, _ outputs: Int, dropout: Float, deviation: Float
  ) {
    norm = LayerNorm(store, "\(name).LayerNorm", inputs)
    linear = Linear(store, "\(name).net.1", inputs, outputs, deviation: deviation)
    self.dropout = dropout
  }

  func callAsFunction(_ tape: Tape, _ x: Tensor) -> Tensor {
    linear(tape, norm(tape, x, outerDropout: dropout), activation: .relu)
  }
}

/// linear (to twice the width) → GELU → LN → linear, the reference's `MLPLayer`.
struct PredictionHead {
  let first: Linear
  let norm: LayerNorm
  let second: Linear

  init(_ store: ParameterStore, _ name: String, _ width: Int, _ outputs: Int, deviation: Float) {
    first = Linear(store, "\(name).linear_1", width, 2 * width, deviation: deviation)
    norm = LayerNorm(store, "\(name).LayerNorm", 2 * width)
    second = Linear(store, "\(name).linear_2", 2 * width, outputs, deviation: deviation)
  }

  func callAsFunction(_ tape: Tape, _ x: Tensor) -> Tensor {
    second(tape, norm(tape, first(tape, x, activation: .gelu)))
  }
}
