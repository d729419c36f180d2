import Engine

/// The feed-forward half of a layer: dense → GELU → dense, residual, layer norm.
struct FeedForward {
  private let up: Linear
  private let down: Linear
  private let norm: LayerNorm
  private let dropout: Float

  init(up: ParameterScope, down: ParameterScope, _ config: TransformerConfiguration) {
    self.up = Linear(up["dense"], config.hiddenSize, config.intermediateSize)
    self.down = Linear(down["dense"], config.intermediateSize, config.hiddenSize)
    norm = LayerNorm(down["LayerNorm"], config.hiddenSize, epsilon: innerEpsilon)
    dropout = config.hiddenDropout
  }

  func callAsFunction(_ tape: Tape, _ x: Tensor) -> Tensor {
    norm(
      tape, tape.feedForward(x, up: up.arrays, down: down.arrays), residual: x, innerDropout: dropout,
      overwriting: true)
  }
}

/// Post-norm transformer layers over packed sequences (BERT's; the reference's `BertEncoder`).
struct TransformerEncoder {
  private let layers: [(attention: AttentionBlock, feedForward: FeedForward)]

  /// - Parameter scope: the scope of `layer.N.attention.…`, `layer.N.intermediate.…` and
  ///   `layer.N.output.…`.
  init(_ scope: ParameterScope, _ config: TransformerConfiguration) {
    layers = (0..<config.layers).map { number in
      let layer = scope.drawing(deviation: config.initializerRange)["layer"][number]
      let attention = layer["attention"]
      return (
        AttentionBlock(projections: attention["self"], output: attention["output"], config),
        FeedForward(up: layer["intermediate"], down: layer["output"], config)
      )
    }
  }

  /// - Parameters:
  ///   - x: [rows, width], the sequences one after the other.
  ///   - selection: the rows of the last layer to output; nil for all.
  /// - Returns: these rows.
  func callAsFunction(_ tape: Tape, _ x: Tensor, _ segments: Segments, selection: RowSelection? = nil)
    -> Tensor
  {
    var x = x
    for (number, layer) in layers.enumerated() {
      let last = number == layers.count - 1
      let attended = layer.attention(tape, x, segments, selection: last ? selection : nil)
      // The first `x` belongs to the caller, who may read it again.
      if number > 0 { tape.release(x) }
      x = layer.feedForward(tape, attended)
      tape.release(attended)
    }
    if layers.isEmpty, let selection { return tape.gather(x, selection.rows) }
    return x
  }
}
