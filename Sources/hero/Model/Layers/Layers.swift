import Engine

/// The epsilon of layer norms outside the transformer layers.
let outerEpsilon: Float = 1e-5
/// The epsilon of layer norms inside the transformer layers.
let innerEpsilon: Float = 1e-12

/// A linear layer: y = activation(x·Wᵀ + b).
///
/// Parameters: `weight` [out, in] and `bias` [out].
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

/// Layer normalization, with the parameters `weight` and `bias`.
struct LayerNorm {
  let gamma: Parameter
  let beta: Parameter
  let epsilon: Float

  init(_ scope: ParameterScope, _ width: Int, epsilon: Float = outerEpsilon) {
    gamma = scope.parameter("weight", [width], .constant(1))
    beta = scope.bias(width)
    self.epsilon = epsilon
  }

  /// Computes dropout(LN(residual + dropout(x))); see `Tape.layerNorm`.
  func callAsFunction(
    _ tape: Tape, _ x: Tensor, residual: Tensor? = nil, innerDropout: Float = 0, outerDropout: Float = 0,
    overwriting: Bool = false
  ) -> Tensor {
    tape.layerNorm(
      x, residual: residual, gamma.tensor, beta.tensor, epsilon: epsilon, innerDropout: innerDropout,
      outerDropout: outerDropout, overwriting: overwriting)
  }
}

/// A table of learnt rows, with the parameter `weight` [rows, width].
struct Embedding {
  let weight: Parameter

  /// - Parameter zeroRows: the number of first rows that mean "nothing" and start at zero.
  init(_ scope: ParameterScope, _ rows: Int, _ width: Int, zeroRows: Int = 0) {
    weight = scope.weight(rows, width, zeroRows: zeroRows)
  }
}

/// The layers dropout(LN) → linear → ReLU, the reference's `LinearLayer`.
///
/// Parameters: `LayerNorm.*`, `net.1.*`.
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

/// The layers linear → GELU → LN → linear, the reference's `MLPLayer`.
struct PredictionHead {
  let first: Linear
  let norm: LayerNorm
  let second: Linear

  /// - Parameter inner: the width between the two linear layers.
  init(
    first: ParameterScope, norm: ParameterScope, second: ParameterScope, _ width: Int, inner: Int,
    _ outputs: Int
  ) {
    self.first = Linear(first, width, inner)
    self.norm = LayerNorm(norm, inner)
    self.second = Linear(second, inner, outputs)
  }

  /// Makes a head whose inner width is twice `width`.
  init(_ scope: ParameterScope, _ width: Int, _ outputs: Int) {
    self.init(
      first: scope["linear_1"], norm: scope["LayerNorm"], second: scope["linear_2"], width, inner: 2 * width,
      outputs)
  }

  func callAsFunction(_ tape: Tape, _ x: Tensor) -> Tensor {
    second(tape, norm(tape, first(tape, x, activation: .gelu)))
  }
}

/// A pool of rows by a learnt score within each segment, and a prediction from it.
///
/// Parameters: `NAME_pool.*`, `NAME_pred_head.*`.
struct PooledPrediction {
  private let pool: Linear
  private let head: PredictionHead

  init(_ scope: ParameterScope, _ name: String, _ width: Int, _ outputs: Int) {
    pool = Linear(scope[name + "_pool"], width, 1, bias: false)
    head = PredictionHead(scope[name + "_pred_head"], width, outputs)
  }

  /// - Returns: [segments, outputs].
  func callAsFunction(_ tape: Tape, _ rows: Tensor, _ segments: Segments) -> Tensor {
    head(tape, tape.softmaxPool(rows, scores: pool(tape, rows), segments: segments))
  }
}
