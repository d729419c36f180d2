import Corpus
import Engine
import Model

extension MaskedFrameBatch: TaskBatch {}
extension MaskedFrameInput: TaskInput {
  /// The numbers of masked frames (`.targets`), and of the frames compared with them (`.others`).
  public var counts: [Counted: Int] { [.targets: hidden.count, .others: others.count] }
}

/// MFM by contrast, which tells a masked frame's feature from those of the batch's other frames.
struct MaskedFrames: Objective {
  static let name = "mfm-nce"
  static let settings: Set<PretrainingSettings.Kind> = [.masks, .temperature]
  private let probability: Float
  private let temperature: Float

  init(_ settings: PretrainingSettings) {
    probability = settings.maskProbability
    temperature = settings.temperature
  }

  func batch(of videos: [PretrainingVideo], for model: ModelConfiguration) throws -> MaskedFrameBatch? {
    try MaskedFrameBatch(of: videos, probability, for: model)
  }

  func loss(
    _ model: PretrainingModel, _ tape: Tape, _ input: MaskedFrameInput?, among share: BatchShare, update: Int,
    random: inout RandomStream
  ) -> [LossTerm] {
    [share.mean(model.contrastiveLosses(tape, input, among: share, temperature: temperature), tape)]
  }

  func measure(
    _ model: PretrainingModel, _ tape: Tape, _ input: MaskedFrameInput, first: Int,
    into sums: inout PretrainingSums
  ) {
    let (scores, predicted) = model.contrastiveScores(tape, input, temperature: temperature)
    sums.add(scores, input.own, on: tape.backend) { model.contrastiveLosses(tape, scores: $0, input) }
    sums.add(predicted, targets: input.targets, on: tape.backend)
  }

  func figures(_ sums: PretrainingSums) -> [(name: String, value: Double)] {
    [
      ("loss", sums.mean(\.loss)), ("acc", sums.mean(\.correct)), ("l2", sums.mean(\.distance)),
      ("cosine", sums.mean(\.cosine)),
    ]
  }
}

extension MaskedFrameBatch {
  /// Hides some frames of videos, at least one of each.
  init(of videos: [PretrainingVideo], _ probability: Float, for model: ModelConfiguration) throws {
    let whole = try VideoBatch(videos.map(\.item), model: model)
    var masked: [Int] = []
    var first = 0
    for (video, length) in zip(videos, whole.lengths) {
      var random = video.random
      masked += Masking.frames(length, probability: probability, random: &random).map { first + $0 }
      first += length
    }
    self.init(hiding: masked, of: whole)
  }
}

extension PretrainingModel {
  /// Computes the cross-entropy of every hidden frame's prediction for its own feature (`mfm-nce`).
  ///
  /// The candidates are the features of all hidden frames and the predictions of all other frames.
  /// - Parameters:
  ///   - input: this rank's part of the batch; nil where it has none.
  ///   - share: each rank's counts of hidden and other frames.
  ///   - temperature: the divisor of the products (`nce_temp`).
  /// - Returns: nil where this rank has no part of the batch.
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
      input?.targets ?? nothing(), counts: share.byRank(.targets), on: backend)
    var negatives = nothing()
    if let frames, let input, input.others.count > 0 {
      negatives = predictedFeatures(tape, frames: frames, rows: input.others)
    }
    negatives = tape.gatherRows(negatives, counts: share.byRank(.others))
    guard let input, let frames else { return nil }
    let predicted = predictedFeatures(tape, frames: frames, rows: input.hidden)
    let (own, others) = (share.total(.targets), share.total(.others))
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
    let first = share.before(.targets)
    return tape.crossEntropy(
      scores, targets: backend.makeIndices(first..<first + predicted.rows),
      weight: BatchShare.weight(own, nil))
  }

  /// Does the same for a process that runs alone.
  public func contrastiveLosses(
    _ tape: Tape, _ input: MaskedFrameInput, temperature: Float = 1
  ) -> Tensor {
    contrastiveLosses(tape, scores: contrastiveScores(tape, input, temperature: temperature).scores, input)
  }

  func contrastiveLosses(_ tape: Tape, scores: Tensor, _ input: MaskedFrameInput) -> Tensor {
    tape.crossEntropy(scores, targets: input.own, weight: BatchShare.weight(scores.rows, nil))
  }

  /// Multiplies predictions with the hidden features, then with the other frames' predictions.
  /// - Returns: [masked, masked + others], and the predictions.
  func contrastiveScores(
    _ tape: Tape, _ input: MaskedFrameInput, temperature: Float
  ) -> (scores: Tensor, predicted: Tensor) {
    let frames = videoEncoder(tape, input.videos)
    let predicted = predictedFeatures(tape, frames: frames, rows: input.hidden)
    var candidates = input.targets
    if input.others.count > 0 {
      // Stacked, so that one product gives a whole row.
      let negatives = predictedFeatures(tape, frames: frames, rows: input.others)
      candidates = tape.gatherSum([(candidates, input.fromTargets), (negatives, input.fromOthers)])
    }
    let scores = tape.linear(predicted, candidates)
    return (temperature == 1 ? scores : tape.scale(scores, by: 1 / temperature), predicted)
  }
}
