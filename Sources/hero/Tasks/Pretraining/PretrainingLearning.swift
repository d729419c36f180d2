import Engine
import Model

/// Pre-training: one model, several objectives.
public final class PretrainingLearning: ModelLearning {
  public let name = "pretrain"
  public let model: PretrainingModel
  public let trainingLoader: PretrainingMixture
  let ranking: RetrievalLossOptions
  private let curriculum: RetrievalCurriculum
  let temperature: Float

  /// - Parameters:
  ///   - ranking: weights of VSM's losses; `curriculum` says when they come in.
  ///   - temperature: `nce_temp`.
  public init(
    model: PretrainingModel, mixture: PretrainingMixture, ranking: RetrievalLossOptions,
    curriculum: RetrievalCurriculum, temperature: Float = 1
  ) {
    self.model = model
    trainingLoader = mixture
    self.ranking = ranking
    self.curriculum = curriculum
    self.temperature = temperature
  }

  /// The parts carry their source's name.
  public var lossPrefix: String { "" }

  public func source(of input: PretrainingMixedInput) -> String { trainingLoader.sources[input.source].name }

  public static func prepare(
    _ batch: PretrainingMixedBatch, for model: ModelConfiguration, on backend: any Backend
  ) -> PretrainingMixedInput {
    PretrainingMixedInput(source: batch.source, content: batch.content?.prepared(for: model, on: backend))
  }

  /// The parts are named by their source, as the reference logs them: `mlm_tv_all`, `vsm_tv_all_st_ed`.
  public func loss(
    _ tape: Tape, _ input: PretrainingMixedInput?, among share: BatchShare, update: Int,
    random: inout RandomStream
  ) -> [LossTerm] {
    // The mixture gives every rank a batch of the same source, though it may be an empty one.
    guard let input else { return [] }
    let source = trainingLoader.sources[input.source]
    if source.loader.objective == .vsm {
      let moments: RetrievalInput? = if case .moments(let moments) = input.content { moments } else { nil }
      let options = curriculum.options(ranking, update: update)
      return model.retrieval.loss(tape, moments, options, among: share, random: &random).map {
        LossTerm("\(source.name)_\($0.name)", $0.value, weight: $0.weight)
      }
    }
    let losses: Tensor? =
      switch input.content {
      case .maskedWords(let words): model.maskedWordLosses(tape, words, among: share)
      case .maskedFrames(let frames) where source.loader.objective == .mffr:
        model.featureRegressionLosses(tape, frames, among: share)
      case .maskedFrames(let frames):
        model.contrastiveLosses(tape, frames, among: share, temperature: temperature)
      case .frameOrder(let order): model.frameOrderLosses(tape, order, among: share)
      case nil where source.loader.objective == .mfmNCE:
        model.contrastiveLosses(tape, nil, among: share, temperature: temperature)
      case .moments, nil: nil
      }
    let value = losses.map { tape.sum([$0], scale: 1 / Double(max(1, share.total(0)))) }
    return [LossTerm(source.name, value)]
  }

  public func counts(of input: PretrainingMixedInput?) -> [Int] { input?.content?.counts ?? [] }
}
