import Engine

/// The hierarchical video encoder `v_encoder`: sentences with their frames, then all frames of a video in time
/// (Docs/Computation.md §2 "Fusion", "Temporal transformer"; paper §3.1).
public final class VideoEncoder {
  public let cross: CrossModalTransformer
  private let frameTransform: NormedProjection
  let temporal: TemporalTransformer
  private let maskEmbedding: Embedding
  /// MFM's head: to the features of hidden frames.
  let featureRegression: PredictionHead
  let frameOrder: PredictionHead

  init(_ scope: ParameterScope, _ model: ModelConfiguration) {
    let width = model.cross.hiddenSize
    cross = CrossModalTransformer(scope["f_encoder"], model)
    frameTransform = NormedProjection(
      scope["frame_transform"], model.featureWidth, width, dropout: model.cross.hiddenDropout)
    temporal = TemporalTransformer(scope["c_encoder"], model.temporal)
    let net = scope["feat_regress"]["net"]
    featureRegression = PredictionHead(
      first: net[0], norm: net[2], second: net[3], width, inner: width, model.featureWidth)
    maskEmbedding = Embedding(scope["mask_embedding"], 2, model.featureWidth, zeroRows: 1)
    frameOrder = PredictionHead(scope["fom_output"], width, model.frameOrderPlaces)
  }

  /// Frames with what their sentences say, before time: fused cross-modal outputs + transformed features.
  /// - Returns: [Σ frames, width]
  func fuse(_ tape: Tape, _ input: VideoInput) -> Tensor {
    let transformed = frameTransform(
      tape, maskedFeatures(tape, input.features, mask: input.mask, embedding: maskEmbedding))
    guard input.plan.segments.count > 0 else {
      return input.shared.map { tape.gather(transformed, $0) } ?? transformed
    }
    let frames = cross(
      tape, input.plan, features: input.features, rows: input.frameRows, mask: input.mask,
      selection: input.plan.outputs)
    return tape.gatherSum([(transformed, input.shared), (frames, input.slots)])
  }

  /// All frames of every video, encoded.
  /// - Returns: [Σ frames, width], the videos end to end.
  public func callAsFunction(_ tape: Tape, _ input: VideoInput) -> Tensor {
    temporal(tape, fuse(tape, input), input.segments, places: input.places)
  }
}

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

  /// dropout(LN(x + position)).
  /// - Parameter places: each row's position in its video.
  func embed(_ tape: Tape, _ x: Tensor, places: Indices) -> Tensor {
    let sum = tape.gatherSum([(x, nil), (positions.weight.tensor, places)])
    return norm(tape, sum, outerDropout: config.hiddenDropout)
  }

  /// The layers alone, on rows that are embedded already.
  func encode(_ tape: Tape, _ x: Tensor, _ segments: Segments, selection: RowSelection? = nil) -> Tensor {
    encoder(tape, x, segments, selection: selection)
  }

  func callAsFunction(_ tape: Tape, _ x: Tensor, _ segments: Segments, places: Indices) -> Tensor {
    encode(tape, embed(tape, x, places: places), segments)
  }
}
