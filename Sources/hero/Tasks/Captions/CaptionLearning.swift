import Engine
import Model

extension CaptionModel {
  /// Mean over all words of all captions of the divergence between the smoothed target and the prediction.
  ///
  /// - Parameter smoothing: `lsr`, the probability spread over the words that are not the target.
  public func loss(_ tape: Tape, _ batch: CaptionBatch, smoothing: Float) -> Float {
    let losses = wordLosses(tape, batch, smoothing: smoothing)
    return losses.isEmpty ? 0 : losses.reduce(0, +) / Float(losses.count)
  }

  /// The losses of the words, caption after caption; their mean's gradient flows back.
  func wordLosses(_ tape: Tape, _ batch: CaptionBatch, smoothing: Float) -> [Float] {
    let targets = batch.targets.flatMap { $0 }
    guard !targets.isEmpty else { return [] }
    return tape.crossEntropy(
      scores(tape, batch), columns: vocabulary, targets: Indices(targets), smoothing: smoothing,
      weight: 1 / Float(targets.count))
  }
}

/// Fine-tuning for captions: TVC.
public final class CaptionLearning: LearningTask {
  public let name: String
  public let model: CaptionModel
  public let trainingLoader: CaptionLoader
  private let smoothing: Float

  /// - Parameter smoothing: `lsr`.
  public init(name: String, model: CaptionModel, loader: CaptionLoader, smoothing: Float = 0.1) {
    self.name = name
    self.model = model
    self.smoothing = smoothing
    trainingLoader = loader
  }

  public var store: ParameterStore { model.store }

  public func loss(
    _ tape: Tape, _ batch: CaptionBatch, update: Int, random: inout RandomStream
  ) -> [LossPart] {
    [LossPart("loss", model.loss(tape, batch, smoothing: smoothing))]
  }
}
