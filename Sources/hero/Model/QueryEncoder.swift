import Engine

/// The query encoder `q_feat_attn`, which makes one vector of a query's cross-modal text outputs.
///
/// Docs/Computation.md §2 "Query".
final class QueryEncoder {
  private let input: NormedProjection
  private let positions: Embedding
  private let norm: LayerNorm
  private let attention: AttentionBlock
  private let mapping: Linear
  private let config: TransformerConfiguration

  init(_ scope: ParameterScope, _ model: ModelConfiguration) {
    config = model.query
    let width = config.hiddenSize
    input = NormedProjection(
      scope["query_input_proj"], model.cross.hiddenSize, width, dropout: config.hiddenDropout)
    positions = Embedding(scope["query_pos_embed"]["position_embeddings"], config.positions, width)
    norm = LayerNorm(scope["query_pos_embed"]["LayerNorm"], width)
    let own = scope["query_self_attention"].drawing(deviation: config.initializerRange)
    attention = AttentionBlock(projections: own["self"], output: own["output"], config)
    mapping = Linear(scope["modular_vector_mapping"], width, 1, bias: false)
  }

  /// Encodes queries.
  /// - Parameters:
  ///   - text: [Σ tokens, width] from the cross-modal transformer.
  ///   - segments: the tokens of each query.
  ///   - places: each token's position in its query.
  /// - Returns: [queries, width].
  func callAsFunction(_ tape: Tape, _ text: Tensor, _ segments: Segments, places: Indices) -> Tensor {
    let sum = tape.gatherSum([
      (input(tape, text), nil), (positions.weight.tensor, places),
    ])
    let attended = attention(tape, norm(tape, sum, outerDropout: config.hiddenDropout), segments)
    return tape.softmaxPool(attended, scores: mapping(tape, attended), segments: segments)
  }
}
