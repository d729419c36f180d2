import Engine

/// Sentences with some words hidden, each with its own frames (spec §6 "MLM").
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

extension RetrievalModel {
  /// Scores of the masked words: [masked, vocabulary rounded up to 8].
  public func maskedWordScores(_ tape: Tape, _ batch: MaskedTextBatch) -> Tensor {
    let plan = CrossModalPlan(batch.sequences, textPositions: configuration.cross.positions)
    let rows = batch.features.count / batch.featureWidth
    let features = tape.backend.makeTensor(batch.features, rows: rows, columns: batch.featureWidth)
    // Only masked words are scored: the last layer computes only them.
    let chosen = Indices(batch.masked.map { plan.tokenRows.rows.values[$0] })
    var counts = [Int](repeating: 0, count: batch.sequences.count)
    var sequence = 0
    for token in batch.masked {
      while token >= plan.tokenRows.segments[sequence].upperBound { sequence += 1 }
      counts[sequence] += 1
    }
    let hidden = videoEncoder.cross(
      tape, plan, features: features, rows: Indices(plan.frameNumbers), mask: nil,
      selection: RowSelection(rows: chosen, segments: Segments(lengths: counts)))
    return videoEncoder.cross.head(tape, hidden)
  }

  /// Words that scores are about; later columns are padding.
  public var vocabulary: Int { videoEncoder.cross.head.vocabulary }

  /// Predicted features of the masked frames, and of the others for NCE's negatives.
  /// - Returns: [masked, featureWidth] and [others, featureWidth], each in the frames' order.
  public func maskedFrameFeatures(
    _ tape: Tape, _ batch: VideoBatch, withNegatives: Bool
  ) -> (masked: Tensor, others: Tensor?) {
    let frames = videoEncoder(tape, batch)
    let hidden = Set(batch.maskedFrames)
    let predict = { (rows: [Int]) in
      self.videoEncoder.featureRegression(tape, tape.gather(frames, Indices(rows)))
    }
    let masked = predict(batch.maskedFrames.sorted())
    guard withNegatives else { return (masked, nil) }
    return (masked, predict((0..<batch.frameCount).filter { !hidden.contains($0) }))
  }

  /// Where each frame came from, once some were moved.
  /// - Parameters:
  ///   - order: frame i goes to place `order[i]`, counted over all videos.
  ///   - places: the places to predict.
  /// - Returns: [places, frameOrderPlaces]
  public func frameOrderScores(
    _ tape: Tape, _ batch: VideoBatch, order: [Int], places: [Int]
  ) -> Tensor {
    let fused = videoEncoder.fuse(tape, batch)
    var source = [Int32](repeating: -1, count: order.count)
    for (frame, place) in order.enumerated() { source[place] = Int32(frame) }
    let moved = tape.gather(fused, Indices(source))
    let encoded = videoEncoder.temporal(tape, moved, Segments(lengths: batch.lengths))
    return videoEncoder.frameOrder(tape, tape.gather(encoded, Indices(places)))
  }
}
