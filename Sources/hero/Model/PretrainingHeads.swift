import Engine

/// Sentences with some words hidden, each with its own frames (Docs/Computation.md §3 "MLM").
public struct MaskedTextBatch: Sendable {
  /// Feature rows of all sentences end to end.
  public var features: [Float]
  public var featureWidth: Int
  /// Frames (rows of `features`) and ids, some of them masked.
  public var sequences: [SubtitleSequence]
  /// The masked tokens, counted over all tokens of all sequences, and the words that stood there.
  public var masked: [Int]
  public var targets: [Int32]

  public init(
    features: [Float], featureWidth: Int, sequences: [SubtitleSequence], masked: [Int], targets: [Int32]
  ) {
    precondition(masked.count == targets.count)
    self.features = features
    self.featureWidth = featureWidth
    self.sequences = sequences
    self.masked = masked
    self.targets = targets
  }
}

/// The same in a device's memory.
public struct MaskedTextInput: @unchecked Sendable {
  /// [rows, featureWidth]; nobody changes it, so threads may hand it on.
  let features: Tensor
  let plan: CrossModalPlan
  let frameRows: Indices
  /// The rows of the masked words: the last layer computes only them.
  let masked: RowSelection
  public let targets: Indices
}

extension MaskedTextBatch {
  /// Puts the batch into a device's memory. Loading threads do it.
  public func prepared(for model: ModelConfiguration, on backend: any Backend) -> MaskedTextInput {
    let plan = CrossModalPlan(sequences, textPositions: model.cross.positions, on: backend)
    var counts = [Int](repeating: 0, count: sequences.count)
    var sequence = 0
    for token in masked {
      while token >= plan.tokenSegments[sequence].upperBound { sequence += 1 }
      counts[sequence] += 1
    }
    return MaskedTextInput(
      features: backend.makeTensor(features, rows: features.count / featureWidth, columns: featureWidth),
      plan: plan, frameRows: backend.makeIndices(plan.frameNumbers),
      masked: RowSelection(
        rows: backend.makeIndices(masked.map { plan.tokenRows[$0] }),
        segments: Segments(lengths: counts, on: backend)),
      targets: backend.makeIndices(targets))
  }
}

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
