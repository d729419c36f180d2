import Engine
import Model

/// The losses of MLM, MFM and FOM (spec §6); VSM's is `RetrievalModel.loss`. Each gives the losses of the asked words
/// or frames; on a training tape the gradient of their mean flows back.
extension RetrievalModel {
  /// Cross-entropy of every masked word.
  public func maskedWordLosses(_ tape: Tape, _ batch: MaskedTextBatch) -> [Float] {
    maskedWordLosses(tape, scores: maskedWordScores(tape, batch), batch)
  }

  func maskedWordLosses(_ tape: Tape, scores: Tensor, _ batch: MaskedTextBatch) -> [Float] {
    tape.crossEntropy(
      scores, columns: vocabulary, targets: Indices(batch.targets), weight: mean(batch.targets.count))
  }

  /// L2 distance of every hidden frame's feature and its prediction (`mffr`).
  public func featureRegressionLosses(_ tape: Tape, _ batch: MaskedFrameBatch) -> [Float] {
    let predicted = maskedFrameFeatures(tape, batch.videos, withNegatives: false).masked
    var distances: [Float] = []
    tape.customLoss([predicted]) { values in
      var difference = zip(values[0], batch.targets).map { $0 - $1 }
      distances = batch.distances(difference)
      let share = mean(distances.count)
      for (row, distance) in distances.enumerated() {
        // Where the prediction is exact, no direction is better than another.
        let factor = distance > 0 ? share / distance : 0
        for column in batch.columns(row) { difference[column] *= factor }
      }
      return [difference]
    }
    return distances
  }

  /// Cross-entropy of every hidden frame's prediction against its own feature, among the features of all hidden frames
  /// and the predictions of all others (`mfm-nce`).
  /// - Parameter temperature: `nce_temp`, which the products are divided by.
  public func contrastiveLosses(
    _ tape: Tape, _ batch: MaskedFrameBatch, temperature: Float = 1
  ) -> [Float] {
    contrastiveLosses(tape, scores: contrastiveScores(tape, batch, temperature: temperature).scores)
  }

  func contrastiveLosses(_ tape: Tape, scores: Tensor) -> [Float] {
    tape.crossEntropy(scores, targets: Indices(0..<scores.rows), weight: mean(scores.rows))
  }

  /// Products of predictions with the hidden features, then with the other frames' predictions.
  /// - Returns: [masked, masked + others], and the predictions.
  func contrastiveScores(
    _ tape: Tape, _ batch: MaskedFrameBatch, temperature: Float
  ) -> (scores: Tensor, predicted: Tensor) {
    let count = batch.videos.maskedFrames.count
    let others = batch.videos.frameCount - count
    let (predicted, negatives) = maskedFrameFeatures(tape, batch.videos, withNegatives: others > 0)
    var candidates = tape.backend.makeTensor(
      batch.targets, rows: count, columns: batch.videos.featureWidth)
    if let negatives {
      // Below one another, so that one product gives a row of all.
      let none = [Int32](repeating: -1, count: count)
      let below = [Int32](repeating: -1, count: others)
      candidates = tape.gatherSum([
        (candidates, Indices((0..<Int32(count)) + below)), (negatives, Indices(none + (0..<Int32(others)))),
      ])
    }
    let scores = tape.linear(predicted, candidates)
    return (temperature == 1 ? scores : tape.scale(scores, by: 1 / temperature), predicted)
  }

  /// Cross-entropy of every moved frame's original place.
  public func frameOrderLosses(_ tape: Tape, _ batch: FrameOrderBatch) -> [Float] {
    let scores = frameOrderScores(tape, batch.videos, order: batch.order, places: batch.places)
    return frameOrderLosses(tape, scores: scores, batch)
  }

  func frameOrderLosses(_ tape: Tape, scores: Tensor, _ batch: FrameOrderBatch) -> [Float] {
    tape.crossEntropy(scores, targets: Indices(batch.targets), weight: mean(batch.targets.count))
  }

  private func mean(_ count: Int) -> Float { 1 / Float(max(1, count)) }
}

extension MaskedFrameBatch {
  /// Where the elements of a hidden frame lie in `targets`.
  func columns(_ row: Int) -> Range<Int> { row * videos.featureWidth..<(row + 1) * videos.featureWidth }

  /// Length of every hidden frame's row of `difference`.
  func distances(_ difference: [Float]) -> [Float] {
    videos.maskedFrames.indices.map { row in
      Float(difference[columns(row)].reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot())
    }
  }
}
