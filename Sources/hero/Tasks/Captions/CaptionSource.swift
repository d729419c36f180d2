import Engine
import Model

extension CaptionBatch: TaskBatch {}
extension CaptionInput: TaskInput {
  /// The number of words to predict, over all captions (`.targets`).
  public var counts: [Counted: Int] { [.targets: targets.count] }
}

extension CaptionModel {
  /// Computes the mean divergence between smoothed targets and predictions, over all words.
  ///
  /// - Parameters:
  ///   - words: the number of words of all ranks' captions; nil for a process that runs alone.
  ///   - smoothing: the probability spread over the words that are not the target (`lsr`).
  public func loss(_ tape: Tape, _ input: CaptionInput, words: Int? = nil, smoothing: Float) -> Tensor? {
    let words = words ?? input.targets.count
    return wordLosses(tape, input, words: words, smoothing: smoothing).map {
      tape.sum([$0], scale: 1 / Double(words))
    }
  }

  /// Computes the losses of the words, caption by caption; nil if there are no words.
  ///
  /// The gradient is that of their mean.
  func wordLosses(_ tape: Tape, _ input: CaptionInput, words: Int? = nil, smoothing: Float) -> Tensor? {
    guard input.targets.count > 0 else { return nil }
    return tape.crossEntropy(
      scores(tape, input), columns: vocabulary, targets: input.targets, smoothing: smoothing,
      weight: 1 / Float(words ?? input.targets.count))
  }
}

/// Fine-tuning for captions: TVC.
public final class CaptionSource: ModelSource {
  /// The name in logs, such as `tvc`.
  public let name: String
  /// The model: the parameters of the decoder and of the encoder.
  public let model: CaptionModel
  /// The maker of the batches.
  public let loader: CaptionLoader
  private let smoothing: Float

  /// - Parameter smoothing: the label smoothing (`lsr`).
  public init(name: String, model: CaptionModel, loader: CaptionLoader, smoothing: Float = 0.1) {
    self.name = name
    self.model = model
    self.smoothing = smoothing
    self.loader = loader
  }

  /// Computes one part, "loss": this rank's share of the mean over all ranks' words.
  public func loss(
    _ tape: Tape, _ input: CaptionInput?, among share: BatchShare, update: Int, random: inout RandomStream
  ) -> [LossTerm] {
    [
      LossTerm(
        "loss", input.flatMap { model.loss(tape, $0, words: share.total(.targets), smoothing: smoothing) })
    ]
  }
}
