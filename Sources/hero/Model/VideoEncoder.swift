import Engine

/// The video encoder `v_encoder`: what sentences say of their frames, then all frames of a video in
/// time (Docs/Computation.md §2 "Fusion", "Temporal transformer"; paper §3.1).
public final class VideoEncoder {
  /// The transformer that reads a sentence with its frames, `f_encoder`.
  public let cross: CrossModalTransformer
  private let frameTransform: NormedProjection
  let temporal: TemporalTransformer
  private let fusion: Fusion

  /// What a kind of fusion has beside the rest.
  private enum Fusion {
    case hierarchical(PretrainingHeads)
    case feature(FeatureFusion)
    case sequence(SequenceFusion)
  }

  init(_ scope: ParameterScope, _ model: ModelConfiguration) {
    cross = CrossModalTransformer(scope["f_encoder"], model)
    frameTransform = NormedProjection(
      scope["frame_transform"], model.featureWidth, model.cross.hiddenSize, dropout: model.cross.hiddenDropout
    )
    temporal = TemporalTransformer(scope["c_encoder"], model.temporal)
    switch model.fusion {
    case .hierarchical: fusion = .hierarchical(PretrainingHeads(scope, model))
    case .add, .concat: fusion = .feature(FeatureFusion(scope, model))
    case .sequence: fusion = .sequence(SequenceFusion(scope, model))
    }
  }

  /// The heads of pre-training.
  /// - Precondition: the fusion is HERO's; the other models are not pre-trained.
  var heads: PretrainingHeads {
    guard case .hierarchical(let heads) = fusion else {
      preconditionFailure("fusion models are not pre-trained")
    }
    return heads
  }

  /// Frames with what their sentences say, before time, and the words of the queries that pass the
  /// cross-modal transformer with the videos.
  /// - Returns: [Σ rows of the videos, width]: a row for every frame, and of a sequence model one
  ///   for every sentence behind its video's frames; [Σ words, width], nil without queries.
  func fuse(_ tape: Tape, _ input: VideoInput) -> (rows: Tensor, words: Tensor?) {
    let fused =
      switch fusion {
      case .hierarchical(let heads): fuse(tape, input, heads)
      case .feature(let fusion): fusion(tape, input, frames: frameTransform(tape, input.features), cross)
      case .sequence(let fusion): fusion(tape, input, cross)
      }
    let words = input.words.flatMap { words in fused.outputs.map { tape.gather($0, words) } }
    return (fused.rows, words)
  }

  /// Fused cross-modal outputs + transformed features.
  private func fuse(_ tape: Tape, _ input: VideoInput, _ heads: PretrainingHeads) -> Fused {
    let transformed = frameTransform(
      tape, maskedFeatures(tape, input.features, mask: input.mask, embedding: heads.maskEmbedding))
    guard input.plan.segments.count > 0 else {
      return (input.shared.map { tape.gather(transformed, $0) } ?? transformed, nil)
    }
    let outputs = cross(
      tape, input.plan, features: input.features, rows: input.frameRows, mask: input.mask,
      selection: input.plan.outputs)
    return (tape.gatherSum([(transformed, input.shared), (outputs, input.slots)]), outputs)
  }

  /// The rows of every video with their places in time. In a sequence model they have places of
  /// their own already, and these come on top where a question follows them.
  func embed(_ tape: Tape, _ input: VideoInput) -> Tensor {
    temporal.embed(tape, fuse(tape, input).rows, places: input.rowPlaces)
  }

  /// All frames of every video, encoded.
  /// - Returns: [Σ frames, width], the videos end to end.
  public func callAsFunction(_ tape: Tape, _ input: VideoInput) -> Tensor {
    encode(tape, fused: fuse(tape, input).rows, input)
  }

  /// The rows of `fuse` in time.
  /// - Returns: [Σ frames, width], the videos end to end.
  func encode(_ tape: Tape, fused: Tensor, _ input: VideoInput) -> Tensor {
    if let sequence = input.sequence {
      return temporal.encode(tape, fused, sequence.rows, selection: sequence.frames)
    }
    return temporal.encode(tape, temporal.embed(tape, fused, places: input.rowPlaces), input.segments)
  }
}

/// Rows for the temporal transformer, and the outputs of the cross-modal transformer that they come
/// of; nil where nothing is said.
typealias Fused = (rows: Tensor, outputs: Tensor?)

/// What pre-training asks of HERO's video encoder.
struct PretrainingHeads {
  /// MFM's head: to the features of hidden frames.
  let featureRegression: PredictionHead
  let maskEmbedding: Embedding
  let frameOrder: PredictionHead

  init(_ scope: ParameterScope, _ model: ModelConfiguration) {
    let (width, net) = (model.cross.hiddenSize, scope["feat_regress"]["net"])
    featureRegression = PredictionHead(
      first: net[0], norm: net[2], second: net[3], width, inner: width, model.featureWidth)
    maskEmbedding = Embedding(scope["mask_embedding"], 2, model.featureWidth, zeroRows: 1)
    frameOrder = PredictionHead(scope["fom_output"], width, model.frameOrderPlaces)
  }
}
