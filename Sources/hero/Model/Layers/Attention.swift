import Engine

/// Multi-head attention with its output projection, residual and layer norm.
struct AttentionBlock {
  private let query: (weight: Parameter, bias: Parameter)
  private let key: (weight: Parameter, bias: Parameter)
  private let value: (weight: Parameter, bias: Parameter)
  private let dense: Linear
  private let norm: LayerNorm
  private let heads: Int
  private let width: Int
  private let hiddenDropout: Float
  private let attentionDropout: Float

  /// - Parameters:
  ///   - projections: the scope of `query`, `key` and `value`.
  ///   - output: the scope of `dense` and `LayerNorm`.
  init(projections: ParameterScope, output: ParameterScope, _ config: TransformerConfiguration) {
    width = config.hiddenSize
    heads = config.heads
    hiddenDropout = config.hiddenDropout
    attentionDropout = config.attentionDropout
    // The three weights are contiguous, and so are the biases: one product serves them.
    let parts = ["query", "key", "value"].map { projections[$0] }
    let weights = parts.map { $0.weight(config.hiddenSize, config.hiddenSize) }
    let biases = parts.map { $0.bias(config.hiddenSize) }
    for group in [weights, biases] { group[0].store.join(group) }
    query = (weights[0], biases[0])
    key = (weights[1], biases[1])
    value = (weights[2], biases[2])
    dense = Linear(output["dense"], width, width)
    norm = LayerNorm(output["LayerNorm"], width, epsilon: innerEpsilon)
  }

  /// Computes self-attention over packed sequences.
  /// - Parameters:
  ///   - x: [rows, width].
  ///   - selection: the rows to compute, each sequence's in order; an encoder's last layer needs no
  ///     others. Keys and values still come from all rows.
  func callAsFunction(
    _ tape: Tape, _ x: Tensor, _ segments: Segments, causal: Bool = false, selection: RowSelection? = nil
  ) -> Tensor {
    guard let selection else {
      let all = tape.linear(
        x, stack([query.weight, key.weight, value.weight]), stack([query.bias, key.bias, value.bias]))
      let context = tape.attention(
        queries: all, keysValues: all, keyColumn: width, valueColumn: 2 * width, width: width, heads: heads,
        querySegments: segments, keySegments: segments, causal: causal, dropout: attentionDropout)
      return finish(tape, context, residual: x)
    }
    let chosen = tape.gather(x, selection.rows)
    return attend(
      tape, chosen, selection.segments, keysValues: project(tape, x), segments.rowRanges, causal: causal)
  }

  /// Computes keys and values of a memory: [rows, width] → [rows, 2·width].
  func project(_ tape: Tape, _ memory: Tensor) -> Tensor {
    tape.linear(memory, stack([key.weight, value.weight]), stack([key.bias, value.bias]))
  }

  /// Computes attention of `x` to keys and values from `project`.
  func attend(
    _ tape: Tape, _ x: Tensor, _ segments: Segments, keysValues: Tensor, _ keyRanges: RowRanges,
    causal: Bool = false
  ) -> Tensor {
    let queries = tape.linear(x, query.weight.tensor, query.bias.tensor)
    let context = tape.attention(
      queries: queries, keysValues: keysValues, keyColumn: 0, valueColumn: width, width: width, heads: heads,
      querySegments: segments, keyRanges: keyRanges, causal: causal, dropout: attentionDropout)
    return finish(tape, context, residual: x)
  }

  /// Computes self-attention of one more row of every sequence.
  /// - Parameters:
  ///   - x: [sequences, width].
  ///   - cache: the keys and values of the rows so far, [sequences·capacity, 2·width].
  ///   - places: the cache's row for each sequence's new row.
  func step(_ tape: Tape, _ x: Tensor, cache: Tensor, places: Indices) -> Tensor {
    let all = tape.linear(
      x, stack([query.weight, key.weight, value.weight]), stack([query.bias, key.bias, value.bias]))
    let context = tape.stepAttention(all, cache: cache, places: places, heads: heads)
    return finish(tape, context, residual: x)
  }

  private func finish(_ tape: Tape, _ context: Tensor, residual: Tensor) -> Tensor {
    norm(
      tape, dense(tape, context), residual: residual, innerDropout: hiddenDropout, overwriting: true)
  }

  private func stack(_ group: [Parameter]) -> Tensor { group[0].store.stack(group) }
}

/// A selection of rows of packed sequences.
public struct RowSelection: Sendable {
  /// The row numbers, sequence after sequence.
  public var rows: Indices
  /// The selected rows of each sequence.
  public var segments: Segments
}
