import Engine

/// The temporal transformer `v_encoder.c_encoder` over the frames of one video.
final class TemporalTransformer {
  private let positions: Embedding
  private let norm: LayerNorm
  private let encoder: TransformerEncoder
  private let config: TransformerConfiguration

  init(_ scope: ParameterScope, _ config: TransformerConfiguration) {
    self.config = config
    let scope = scope.drawing(deviation: config.initializerRange)
    positions = Embedding(scope["embeddings"]["position_embeddings"], config.positions, config.hiddenSize)
    norm = LayerNorm(scope["embeddings"]["LayerNorm"], config.hiddenSize)
    encoder = TransformerEncoder(scope["encoder"], config)
    _ = Linear(scope["pooler"]["dense"], config.hiddenSize, config.hiddenSize)
  }

  /// Computes dropout(LN(x + position)).
  /// - Parameter places: each row's position in its video.
  func embed(_ tape: Tape, _ x: Tensor, places: Indices) -> Tensor {
    let sum = tape.gatherSum([(x, nil), (positions.weight.tensor, places)])
    return norm(tape, sum, outerDropout: config.hiddenDropout)
  }

  /// Runs the layers alone, on rows that are already embedded.
  func encode(_ tape: Tape, _ x: Tensor, _ segments: Segments, selection: RowSelection? = nil) -> Tensor {
    encoder(tape, x, segments, selection: selection)
  }

  func callAsFunction(_ tape: Tape, _ x: Tensor, _ segments: Segments, places: Indices) -> Tensor {
    encode(tape, embed(tape, x, places: places), segments)
  }
}
