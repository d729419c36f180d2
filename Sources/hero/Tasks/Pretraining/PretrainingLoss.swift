import Engine
import Model

/// The losses of MLM, MFM and FOM (Docs/Computation.md §3); VSM's is `RetrievalModel.loss`. Each gives the losses of the asked words
/// or frames, [1, n]; on a training tape the gradient of their mean flows back.
extension PretrainingModel {
  /// Cross-entropy of every masked word.
  public func maskedWordLosses(_ tape: Tape, _ input: MaskedTextInput) -> Tensor {
    maskedWordLosses(tape, scores: maskedWordScores(tape, input), input)
  }

  func maskedWordLosses(_ tape: Tape, scores: Tensor, _ input: MaskedTextInput) -> Tensor {
    tape.crossEntropy(
      scores, columns: vocabulary, targets: input.targets, weight: mean(input.targets.count))
  }

  /// L2 distance of every hidden frame's feature and its prediction (`mffr`).
  public func featureRegressionLosses(_ tape: Tape, _ input: MaskedFrameInput) -> Tensor {
    let predicted = predictedFeatures(
      tape, frames: videoEncoder(tape, input.videos), rows: input.hidden)
    return tape.distances(predicted, targets: input.targets, weight: mean(predicted.rows))
  }

  /// Cross-entropy of every hidden frame's prediction against its own feature, among the features of all hidden frames
  /// and the predictions of all others (`mfm-nce`).
  /// - Parameter temperature: `nce_temp`, which the products are divided by.
  public func contrastiveLosses(
    _ tape: Tape, _ input: MaskedFrameInput, temperature: Float = 1
  ) -> Tensor {
    contrastiveLosses(tape, scores: contrastiveScores(tape, input, temperature: temperature).scores, input)
  }

  func contrastiveLosses(_ tape: Tape, scores: Tensor, _ input: MaskedFrameInput) -> Tensor {
    tape.crossEntropy(scores, targets: input.own, weight: mean(scores.rows))
  }

  /// Products of predictions with the hidden features, then with the other frames' predictions.
  /// - Returns: [masked, masked + others], and the predictions.
  func contrastiveScores(
    _ tape: Tape, _ input: MaskedFrameInput, temperature: Float
  ) -> (scores: Tensor, predicted: Tensor) {
    let frames = videoEncoder(tape, input.videos)
    let predicted = predictedFeatures(tape, frames: frames, rows: input.hidden)
    var candidates = input.targets
    if input.others.count > 0 {
      // Below one another, so that one product gives a row of all.
      let negatives = predictedFeatures(tape, frames: frames, rows: input.others)
      candidates = tape.gatherSum([(candidates, input.fromTargets), (negatives, input.fromOthers)])
    }
    let scores = tape.linear(predicted, candidates)
    return (temperature == 1 ? scores : tape.scale(scores, by: 1 / temperature), predicted)
  }

  /// Cross-entropy of every moved frame's original place.
  public func frameOrderLosses(_ tape: Tape, _ input: FrameOrderInput) -> Tensor {
    frameOrderLosses(tape, scores: frameOrderScores(tape, input), input)
  }

  /// Scores of the places that moved frames may have come from: [places, frameOrderPlaces].
  func frameOrderScores(_ tape: Tape, _ input: FrameOrderInput) -> Tensor {
    frameOrderScores(tape, input.videos, source: input.source, places: input.places)
  }

  func frameOrderLosses(_ tape: Tape, scores: Tensor, _ input: FrameOrderInput) -> Tensor {
    tape.crossEntropy(scores, targets: input.targets, weight: mean(input.targets.count))
  }

  private func mean(_ count: Int) -> Float { 1 / Float(max(1, count)) }
}
