import Corpus
import Engine
import Formats
import Model

extension MaskedTextBatch: TaskBatch {}
extension MaskedTextInput: TaskInput {
  /// `.targets`: the masked words.
  public var counts: [Counted: Int] { [.targets: targets.count] }
}

/// MLM: masked words from a sentence's frames and other words.
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
        // A sentence without words has none to hide.
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
    // The embedding's last rows are padding, which nothing can predict.
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
  /// Cross-entropy of every masked word: [1, n]; on a training tape the gradient of the mean over
  /// all ranks flows back.
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
  /// Of one in a mean: over all ranks' where there are several.
  static func weight(_ count: Int, _ share: BatchShare?) -> Float {
    1 / Float(max(1, share?.total(.targets) ?? count))
  }

  /// The mean over all ranks of what an objective asks, as its whole loss.
  func mean(_ losses: Tensor?, _ tape: Tape) -> LossTerm {
    LossTerm("", losses.map { tape.sum([$0], scale: 1 / Double(max(1, total(.targets)))) })
  }
}
