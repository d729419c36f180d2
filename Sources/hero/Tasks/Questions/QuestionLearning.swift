import Engine
import Model

/// Fine-tuning for what is asked about videos: TVQA, How2QA, VIOLIN.
public final class QuestionLearning<Model: AnsweringModel>: LearningTask {
  public let name: String
  public let model: Model
  public let trainingLoader: QuestionLoader<Model.Store>
  private let spanWeight: Float

  /// - Parameter spanWeight: `lw_st_ed`.
  public init(name: String, model: Model, loader: QuestionLoader<Model.Store>, spanWeight: Float) {
    self.name = name
    self.model = model
    trainingLoader = loader
    self.spanWeight = spanWeight
  }

  public var store: ParameterStore { model.store }

  public func loss(
    _ tape: Tape, _ batch: QuestionBatch, update: Int, random: inout RandomStream
  ) -> [LossPart] {
    model.losses(tape, batch, spanWeight: spanWeight)
  }
}
