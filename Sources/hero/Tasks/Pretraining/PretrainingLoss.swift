import Engine
import Model

/// The losses of MLM, MFM and FOM (Docs/Computation.md §3); VSM's is `RetrievalModel.loss`. Each gives the losses of the asked words
/// or frames, [1, n]; on a training tape the gradient of their mean flows back, which is a mean over those of all ranks.
extension PretrainingModel {
  /// Cross-entropy of every masked word.
  public func maskedWordLosses(
    _ tape: Tape, _ input: MaskedTextInput, among share: BatchShare? = nil
  ) -> Tensor {
    maskedWordLosses(tape, scores: maskedWordScores(tape, input), input, among: share)
  }

  func maskedWordLosses(
    _ tape: Tape, scores: Tensor, _ input: MaskedTextInput, among share: BatchShare? = nil
  ) -> Tensor {
    tape.crossEntropy(
      scores, columns: vocabulary, targets: input.targets, weight: mean(input.targets.count, share))
  }

  /// L2 distance of every hidden frame's feature and its prediction (`mffr`).
  public func featureRegressionLosses(
    _ tape: Tape, _ input: MaskedFrameInput, among share: BatchShare? = nil
  ) -> Tensor {
    let predicted = predictedFeatures(
      tape, frames: videoEncoder(tape, input.videos), rows: input.hidden)
    return tape.distances(predicted, targets: input.targets, weight: mean(predicted.rows, share))
  }

  /// Cross-entropy of every hidden frame's prediction against its own feature, among the features of all hidden frames
  /// and the predictions of all others (`mfm-nce`).
  /// - Parameters:
  ///   - input: nil where this rank has none of the batch.
  ///   - share: the hidden and the other frames of each rank; nil for a process that is alone.
  ///   - temperature: `nce_temp`, which the products are divided by.
  /// - Returns: nil where this rank has none of the batch.
  public func contrastiveLosses(
    _ tape: Tape, _ input: MaskedFrameInput?, among share: BatchShare, temperature: Float = 1
  ) -> Tensor? {
    guard tape.communicator.size > 1 else {
      return input.map { contrastiveLosses(tape, $0, temperature: temperature) }
    }
    let backend = tape.backend
    let frames = input.map { videoEncoder(tape, $0.videos) }
    let nothing = { backend.makeTensor(rows: 0, columns: self.configuration.featureWidth) }
    let targets = tape.communicator.gatherRows(
      input?.targets ?? nothing(), counts: share.byRank(0), on: backend)
    var negatives = nothing()
    if let frames, let input, input.others.count > 0 {
      negatives = predictedFeatures(tape, frames: frames, rows: input.others)
    }
    negatives = tape.gatherRows(negatives, counts: share.byRank(1))
    guard let input, let frames else { return nil }
    let predicted = predictedFeatures(tape, frames: frames, rows: input.hidden)
    let (own, others) = (share.total(0), share.total(1))
    var candidates = targets
    if others > 0 {
      let (above, below) = (Array(0..<own), Array(0..<others))
      candidates = tape.gatherSum([
        (targets, backend.makeIndices(above + below.map { _ in -1 })),
        (negatives, backend.makeIndices(above.map { _ in -1 } + below)),
      ])
    }
    let products = tape.linear(predicted, candidates)
    let scores = temperature == 1 ? products : tape.scale(products, by: 1 / temperature)
    let first = share.before(0)
    return tape.crossEntropy(
      scores, targets: backend.makeIndices(first..<first + predicted.rows), weight: mean(own, nil))
  }

  /// The same for a process that is alone.
  public func contrastiveLosses(
    _ tape: Tape, _ input: MaskedFrameInput, temperature: Float = 1
  ) -> Tensor {
    contrastiveLosses(tape, scores: contrastiveScores(tape, input, temperature: temperature).scores, input)
  }

  func contrastiveLosses(_ tape: Tape, scores: Tensor, _ input: MaskedFrameInput) -> Tensor {
    tape.crossEntropy(scores, targets: input.own, weight: mean(scores.rows, nil))
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
  public func frameOrderLosses(
    _ tape: Tape, _ input: FrameOrderInput, among share: BatchShare? = nil
  ) -> Tensor {
    frameOrderLosses(tape, scores: frameOrderScores(tape, input), input, among: share)
  }

  func frameOrderLosses(
    _ tape: Tape, scores: Tensor, _ input: FrameOrderInput, among share: BatchShare? = nil
  ) -> Tensor {
    tape.crossEntropy(scores, targets: input.targets, weight: mean(input.targets.count, share))
  }

  /// Of one in the mean: over all ranks' where there are several.
  private func mean(_ count: Int, _ share: BatchShare?) -> Float {
    1 / Float(max(1, share?.total(0) ?? count))
  }
}
