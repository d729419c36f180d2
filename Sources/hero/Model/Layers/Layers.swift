import Engine

/// Layer-norm epsilon outside the transformer layers.
let outerEpsilon: Float = 1e-5
/// Layer-norm epsilon inside the transformer layers.
let innerEpsilon: Float = 1e-12

/// y = activation(x·Wᵀ + b). Parameters `weight` [out, in] and `bias` [out].
struct Linear {
  let weight: Parameter
  let bias: Parameter?

  init(_ scope: ParameterScope, _ inputs: Int, _ outputs: Int, bias: Bool = true) {
    weight = scope.weight(outputs, inputs)
    self.bias = bias ? scope.bias(outputs) : nil
  }

  var arrays: LinearArrays { (weight.tensor, bias?.tensor) }

  func callAsFunction(_ tape: Tape, _ x: Tensor, activation: Activation = .none) -> Tensor {
    tape.linear(x, weight.tensor, bias?.tensor, activation: activation)
  }
}

/// Layer norm. Parameters `weight` and `bias`.
struct LayerNorm {
  let gamma: Parameter
  let beta: Parameter
  let epsilon: Float

  init(_ scope: ParameterScope, _ width: Int, epsilon: Float = outerEpsilon) {
    gamma = scope.parameter("weight", [width], .constant(1))
    beta = scope.bias(width)
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

/// A table of learnt rows. Parameter `weight` [rows, width].
struct Embedding {
  let weight: Parameter

  /// - Parameter zeroRows: rows from the first that mean "nothing".
  init(_ scope: ParameterScope, _ rows: Int, _ width: Int, zeroRows: Int = 0) {
    weight = scope.weight(rows, width, zeroRows: zeroRows)
  }
}

/// dropout(LN) → linear → ReLU, the reference's `LinearLayer`. Parameters `LayerNorm.*`, `net.1.*`.
struct NormedProjection {
  let norm: LayerNorm
  let linear: Linear
  let dropout: Float

  init(_ scope: ParameterScope, _ inputs: Int, _ outputs: Int, dropout: Float) {
    norm = LayerNorm(scope["LayerNorm"], inputs)
    linear = Linear(scope["net"][1], inputs, outputs)
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

  init(_ scope: ParameterScope, _ width: Int, _ outputs: Int) {
    first = Linear(scope["linear_1"], width, 2 * width)
    norm = LayerNorm(scope["LayerNorm"], 2 * width)
    second = Linear(scope["linear_2"], 2 * width, outputs)
  }

  func callAsFunction(_ tape: Tape, _ x: Tensor) -> Tensor {
    second(tape, norm(tape, first(tape, x, activation: .gelu)))
  }
}
