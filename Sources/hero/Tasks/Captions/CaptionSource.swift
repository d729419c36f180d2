import Engine
import Model

extension CaptionBatch: TaskBatch {}
extension CaptionInput: TaskInput {
  /// `.targets`: the words to predict, of all captions.
  public var counts: [Counted: Int] { [.targets: targets.count] }
}

extension CaptionModel {
  /// Mean over all words of all captions of the divergence between the smoothed target and the
  /// prediction.
  ///
  /// - Parameters:
  ///   - words: of all ranks' captions; nil for a process that is alone.
  ///   - smoothing: `lsr`, the probability spread over the words that are not the target.
  public func loss(_ tape: Tape, _ input: CaptionInput, words: Int? = nil, smoothing: Float) -> Tensor? {
    let words = words ?? input.targets.count
    return wordLosses(tape, input, words: words, smoothing: smoothing).map {
      tape.sum([$0], scale: 1 / Double(words))
    }
  }

  /// The losses of the words, caption after caption; their mean's gradient flows back. Nil where
  /// there are none.
  func wordLosses(_ tape: Tape, _ input: CaptionInput, words: Int? = nil, smoothing: Float) -> Tensor? {
    guard input.targets.count > 0 else { return nil }
    return tape.crossEntropy(
      scores(tape, input), columns: vocabulary, targets: input.targets, smoothing: smoothing,
      weight: 1 / Float(words ?? input.targets.count))
  }
}

/// Fine-tuning for captions: TVC.
public final class CaptionSource: ModelSource {
  /// As logs name it, such as `tvc`.
  public let name: String
  /// The decoder's parameters with those of the encoder.
  public let model: CaptionModel
  /// What the batches come from.
  public let loader: CaptionLoader
  private let smoothing: Float

  /// - Parameter smoothing: `lsr`.
  public init(name: String, model: CaptionModel, loader: CaptionLoader, smoothing: Float = 0.1) {
    self.name = name
    self.model = model
    self.smoothing = smoothing
    self.loader = loader
  }

  /// One part, "loss": this rank's share of the mean over all ranks' words.
  public func loss(
    _ tape: Tape, _ input: CaptionInput?, among share: BatchShare, update: Int, random: inout RandomStream
  ) -> [LossTerm] {
    [
      LossTerm(
        "loss", input.flatMap { model.loss(tape, $0, words: share.total(.targets), smoothing: smoothing) })
    ]
  }
}
