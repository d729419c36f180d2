import Engine

/// The model that pre-training shapes: a retrieval model, whose video encoder has the heads of the other objectives
/// (Docs/Computation.md §3; the reference's `HeroForPretraining`).
public final class PretrainingModel: HeroModel {
  /// What VSM trains.
  public let retrieval: RetrievalModel

  public init(_ configuration: ModelConfiguration, backend: any Backend) {
    retrieval = RetrievalModel(configuration, backend: backend)
  }

  public var trunk: ModelTrunk { retrieval.trunk }

  /// Scores of the masked words: [masked, vocabulary rounded up to 8].
  public func maskedWordScores(_ tape: Tape, _ input: MaskedTextInput) -> Tensor {
    let hidden = videoEncoder.cross(
      tape, input.plan, features: input.features, rows: input.frameRows, mask: nil, selection: input.masked)
    return videoEncoder.cross.head(tape, hidden)
  }

  /// Predicted features of some of the encoded frames: [rows, featureWidth].
  public func predictedFeatures(_ tape: Tape, frames: Tensor, rows: Indices) -> Tensor {
    videoEncoder.featureRegression(tape, tape.gather(frames, rows))
  }

  /// Where each frame came from, once some were moved.
  /// - Parameters:
  ///   - source: per place the frame that went there.
  ///   - places: the places to predict.
  /// - Returns: [places, frameOrderPlaces]
  public func frameOrderScores(
    _ tape: Tape, _ videos: VideoInput, source: Indices, places: Indices
  ) -> Tensor {
    let moved = tape.gather(videoEncoder.fuse(tape, videos), source)
    let encoded = videoEncoder.temporal(tape, moved, videos.segments, places: videos.places)
    return videoEncoder.frameOrder(tape, tape.gather(encoded, places))
  }
}
