import Corpus
import Engine
import Model

/// MFM by regression, which predicts the feature of a masked frame.
struct FeatureRegression: Objective {
  static let name = "mffr"
  static let settings: Set<PretrainingSettings.Kind> = [.masks]
  private let probability: Float

  init(_ settings: PretrainingSettings) { probability = settings.maskProbability }

  func batch(of videos: [PretrainingVideo], for model: ModelConfiguration) throws -> MaskedFrameBatch? {
    try MaskedFrameBatch(of: videos, probability, for: model)
  }

  func loss(
    _ model: PretrainingModel, _ tape: Tape, _ input: MaskedFrameInput?, among share: BatchShare, update: Int,
    random: inout RandomStream
  ) -> [LossTerm] {
    [share.mean(input.map { model.featureRegressionLosses(tape, $0, among: share) }, tape)]
  }

  func measure(
    _ model: PretrainingModel, _ tape: Tape, _ input: MaskedFrameInput, first: Int,
    into sums: inout PretrainingSums
  ) {
    let predicted = model.predictedFeatures(
      tape, frames: model.videoEncoder(tape, input.videos), rows: input.hidden)
    sums.count += Double(predicted.rows)
    sums.add(predicted, targets: input.targets, on: tape.backend)
  }

  func figures(_ sums: PretrainingSums) -> [(name: String, value: Double)] {
    [("loss", sums.mean(\.distance)), ("cosine", sums.mean(\.cosine))]
  }
}

extension PretrainingModel {
  /// Computes the L2 distance between every hidden frame's feature and its prediction: [1, n].
  ///
  /// On a training tape, the gradient is that of the mean over all ranks.
  public func featureRegressionLosses(
    _ tape: Tape, _ input: MaskedFrameInput, among share: BatchShare? = nil
  ) -> Tensor {
    let predicted = predictedFeatures(
      tape, frames: videoEncoder(tape, input.videos), rows: input.hidden)
    return tape.distances(
      predicted, targets: input.targets, weight: BatchShare.weight(predicted.rows, share))
  }
}
