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
    PretrainingMixedInput(source: batch.source, content: batch.content.prepared(for: model, on: backend))
  }

  /// The parts are named by their source, as the reference logs them: `mlm_tv_all`, `vsm_tv_all_st_ed`.
  public func loss(
    _ tape: Tape, _ input: PretrainingMixedInput, update: Int, random: inout RandomStream
  ) -> [LossTerm] {
    let source = trainingLoader.sources[input.source]
    let losses: Tensor
    switch input.content {
    case .maskedWords(let words):
      losses = model.maskedWordLosses(tape, words)
    case .maskedFrames(let frames) where source.loader.objective == .mffr:
      losses = model.featureRegressionLosses(tape, frames)
    case .maskedFrames(let frames):
      losses = model.contrastiveLosses(tape, frames, temperature: temperature)
    case .frameOrder(let order):
      losses = model.frameOrderLosses(tape, order)
    case .moments(let moments):
      return model.retrieval.loss(tape, moments, curriculum.options(ranking, update: update), random: &random)
        .map {
          LossTerm("\(source.name)_\($0.name)", $0.value, weight: $0.weight)
        }
    }
    return [LossTerm(source.name, tape.sum([losses], scale: 1 / Double(max(1, losses.count))))]
  }
}
