import Engine

/// The model of pre-training (Docs/Computation.md §3; the reference's `HeroForPretraining`).
///
/// It is a retrieval model, whose video encoder has the heads of the other objectives.
public final class PretrainingModel: HeroModel {
  /// The retrieval model, which VSM trains.
  public let retrieval: RetrievalModel

  /// Declares VSM's parameters; the video encoder declares the other objectives' heads.
  public init(sharing trunk: ModelTrunk) {
    retrieval = RetrievalModel(sharing: trunk)
  }

  /// The parameters, configuration and video encoder.
  public var trunk: ModelTrunk { retrieval.trunk }

  /// Computes the scores of the masked words: [masked, vocabulary rounded up to 8].
  public func maskedWordScores(_ tape: Tape, _ input: MaskedTextInput) -> Tensor {
    let hidden = videoEncoder.cross(
      tape, input.plan, features: input.features, rows: input.frameRows, mask: nil, selection: input.masked)
    return videoEncoder.cross.head(tape, hidden)
  }

  /// Predicts the features of some of the encoded frames: [rows, featureWidth].
  public func predictedFeatures(_ tape: Tape, frames: Tensor, rows: Indices) -> Tensor {
    videoEncoder.heads.featureRegression(tape, tape.gather(frames, rows))
  }

  /// Scores the possible original places of the shuffled frames: [places, frameOrderPlaces].
  public func frameOrderScores(_ tape: Tape, _ input: FrameOrderInput) -> Tensor {
    let moved = tape.gather(videoEncoder.fuse(tape, input.videos).rows, input.source)
    let encoded = videoEncoder.temporal(tape, moved, input.videos.segments, places: input.videos.places)
    return videoEncoder.heads.frameOrder(tape, tape.gather(encoded, input.places))
  }
}
