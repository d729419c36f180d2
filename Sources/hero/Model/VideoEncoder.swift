import Engine

/// The video encoder `v_encoder`: fusion of sentences and frames, then the temporal transformer.
///
/// Docs/Computation.md §2 "Fusion", "Temporal transformer"; paper §3.1.
public final class VideoEncoder {
  /// The transformer `f_encoder`, which reads a sentence with its frames.
  public let cross: CrossModalTransformer
  private let frameTransform: NormedProjection
  let temporal: TemporalTransformer
  private let fusion: Fusion

  /// The layers that only one kind of fusion has.
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
  /// - Precondition: The fusion is HERO's; the other models are not pre-trained.
  var heads: PretrainingHeads {
    guard case .hierarchical(let heads) = fusion else {
      preconditionFailure("fusion models are not pre-trained")
    }
    return heads
  }

  /// Fuses frames with their sentences, before the temporal transformer.
  ///
  /// The words of queries pass the cross-modal transformer with the videos.
  /// - Returns: [Σ rows of the videos, width], and the queries' words [Σ words, width], nil without
  ///   queries. Each frame has a row; a sequence model adds one per sentence after the frames.
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

  /// Adds the cross-modal outputs to the transformed features.
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

  /// Embeds the rows of every video with their temporal positions.
  ///
  /// A sequence model's rows already have positions. These are added where a question follows.
  func embed(_ tape: Tape, _ input: VideoInput) -> Tensor {
    temporal.embed(tape, fuse(tape, input).rows, places: input.rowPlaces)
  }

  /// Encodes all frames of every video.
  /// - Returns: [Σ frames, width], the videos one after the other.
  public func callAsFunction(_ tape: Tape, _ input: VideoInput) -> Tensor {
    encode(tape, fused: fuse(tape, input).rows, input)
  }

  /// Runs the rows of `fuse` through the temporal transformer.
  /// - Returns: [Σ frames, width], the videos one after the other.
  func encode(_ tape: Tape, fused: Tensor, _ input: VideoInput) -> Tensor {
    if let sequence = input.sequence {
      return temporal.encode(tape, fused, sequence.rows, selection: sequence.frames)
    }
    return temporal.encode(tape, temporal.embed(tape, fused, places: input.rowPlaces), input.segments)
  }
}

/// Rows for the temporal transformer, and the cross-modal outputs behind them, if any.
typealias Fused = (rows: Tensor, outputs: Tensor?)

/// The parts of HERO's video encoder that only pre-training uses.
struct PretrainingHeads {
  /// MFM's head, which predicts the features of hidden frames.
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
