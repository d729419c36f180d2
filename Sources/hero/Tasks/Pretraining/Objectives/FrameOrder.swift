import Corpus
import Engine
import Model

extension FrameOrderBatch: TaskBatch {}
extension FrameOrderInput: TaskInput {
  /// The number of shuffled frames (`.targets`).
  public var counts: [Counted: Int] { [.targets: targets.count] }
}

/// FOM, which predicts the original places of shuffled frames.
struct FrameOrder: Objective {
  static let name = "fom"
  static let settings: Set<PretrainingSettings.Kind> = [.masks]
  private let probability: Float

  init(_ settings: PretrainingSettings) { probability = settings.maskProbability }

  func batch(of videos: [PretrainingVideo], for model: ModelConfiguration) throws -> FrameOrderBatch? {
    var batch = FrameOrderBatch(
      videos: try VideoBatch(videos.map(\.item), model: model),
      order: Array(0..<videos.reduce(0) { $0 + $1.item.frameCount }),
      places: [],
      targets: [])
    var first = 0
    for (video, length) in zip(videos, batch.videos.lengths) {
      var random = video.random
      let (order, moved) = Masking.order(
        length, among: model.frameOrderPlaces, probability: probability, random: &random)
      for frame in moved {
        batch.order[first + frame] = first + order[frame]
        batch.places.append(first + order[frame])
        batch.targets.append(frame)
      }
      first += length
    }
    return batch.places.isEmpty ? nil : batch
  }

  func loss(
    _ model: PretrainingModel, _ tape: Tape, _ input: FrameOrderInput?, among share: BatchShare, update: Int,
    random: inout RandomStream
  ) -> [LossTerm] {
    [share.mean(input.map { model.frameOrderLosses(tape, $0, among: share) }, tape)]
  }

  func measure(
    _ model: PretrainingModel, _ tape: Tape, _ input: FrameOrderInput, first: Int,
    into sums: inout PretrainingSums
  ) {
    sums.add(model.frameOrderScores(tape, input), input.targets, on: tape.backend) {
      model.frameOrderLosses(tape, scores: $0, input)
    }
  }

  func figures(_ sums: PretrainingSums) -> [(name: String, value: Double)] {
    [("loss", sums.mean(\.loss)), ("acc", sums.mean(\.correct))]
  }
}

extension PretrainingModel {
  /// Computes the cross-entropy of every shuffled frame's original place: [1, n].
  ///
  /// On a training tape, the gradient is that of the mean over all ranks.
  public func frameOrderLosses(
    _ tape: Tape, _ input: FrameOrderInput, among share: BatchShare? = nil
  ) -> Tensor {
    frameOrderLosses(tape, scores: frameOrderScores(tape, input), input, among: share)
  }

  func frameOrderLosses(
    _ tape: Tape, scores: Tensor, _ input: FrameOrderInput, among share: BatchShare? = nil
  ) -> Tensor {
    tape.crossEntropy(
      scores, targets: input.targets, weight: BatchShare.weight(input.targets.count, share))
  }
}
