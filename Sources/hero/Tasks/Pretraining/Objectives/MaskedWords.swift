import Corpus
import Engine
import Formats
import Model

extension MaskedTextBatch: TaskBatch {}
extension MaskedTextInput: TaskInput {
  /// The number of masked words (`.targets`).
  public var counts: [Counted: Int] { [.targets: targets.count] }
}

/// MLM, which predicts masked words from a sentence's frames and its other words.
struct MaskedWords: Objective {
  static let name = "mlm"
  static let settings: Set<PretrainingSettings.Kind> = [.masks]
  private let probability: Float

  init(_ settings: PretrainingSettings) { probability = settings.maskProbability }

  func batch(of videos: [PretrainingVideo], for model: ModelConfiguration) throws -> MaskedTextBatch? {
    var batch = MaskedTextBatch(
      features: [], featureWidth: model.featureWidth, sequences: [], masked: [], targets: [])
    var (rows, tokens) = (0, 0)
    for video in videos {
      var random = video.random
      let (item, width) = (video.item, video.item.featureWidth)
      for subtitle in item.subtitles {
        let text = video.text(of: subtitle.index)
        // A sentence without words has none to mask.
        guard !text.isEmpty else { continue }
        let (hidden, places) = Masking.words(
          text, probability: probability, mask: video.meta.mask, replacements: video.meta.vRange,
          random: &random)
        batch.masked += places.map { tokens + 1 + $0 }
        batch.targets += places.map { text[$0] }
        for frame in subtitle.frames {
          batch.features.append(item.features[frame * width..<(frame + 1) * width])
        }
        batch.sequences.append(
          SubtitleSequence(
            frames: Array(rows..<rows + subtitle.frames.count), tokens: [video.meta.cls] + hidden))
        rows += subtitle.frames.count
        tokens += 1 + text.count
      }
    }
    // The embedding's last rows are padding, which the model never predicts.
    let known = model.cross.vocabulary ?? 0
    if let target = batch.targets.first(where: { $0 >= known }) {
      throw DataError(
        "a subtitle holds the token \(target), the model predicts \(known)",
        cure: "Use the stores and the model of one tokenizer")
    }
    return batch.masked.isEmpty ? nil : batch
  }

  func loss(
    _ model: PretrainingModel, _ tape: Tape, _ input: MaskedTextInput?, among share: BatchShare, update: Int,
    random: inout RandomStream
  ) -> [LossTerm] {
    [share.mean(input.map { model.maskedWordLosses(tape, $0, among: share) }, tape)]
  }

  func measure(
    _ model: PretrainingModel, _ tape: Tape, _ input: MaskedTextInput, first: Int,
    into sums: inout PretrainingSums
  ) {
    sums.add(
      model.maskedWordScores(tape, input), columns: model.vocabulary, input.targets, on: tape.backend
    ) { model.maskedWordLosses(tape, scores: $0, input) }
  }

  func figures(_ sums: PretrainingSums) -> [(name: String, value: Double)] {
    [("loss", sums.mean(\.loss)), ("acc", sums.mean(\.correct))]
  }
}

extension PretrainingModel {
  /// Computes the cross-entropy of every masked word: [1, n].
  ///
  /// On a training tape, the gradient is that of the mean over all ranks.
  public func maskedWordLosses(
    _ tape: Tape, _ input: MaskedTextInput, among share: BatchShare? = nil
  ) -> Tensor {
    maskedWordLosses(tape, scores: maskedWordScores(tape, input), input, among: share)
  }

  func maskedWordLosses(
    _ tape: Tape, scores: Tensor, _ input: MaskedTextInput, among share: BatchShare? = nil
  ) -> Tensor {
    tape.crossEntropy(
      scores, columns: vocabulary, targets: input.targets,
      weight: BatchShare.weight(input.targets.count, share))
  }
}

extension BatchShare {
  /// Returns the weight of one element in a mean, over all ranks where `share` is given.
  static func weight(_ count: Int, _ share: BatchShare?) -> Float {
    1 / Float(max(1, share?.total(.targets) ?? count))
  }

  /// Makes an objective's whole loss: the mean of its losses over all ranks.
  func mean(_ losses: Tensor?, _ tape: Tape) -> LossTerm {
    LossTerm("", losses.map { tape.sum([$0], scale: 1 / Double(max(1, total(.targets)))) })
  }
}
