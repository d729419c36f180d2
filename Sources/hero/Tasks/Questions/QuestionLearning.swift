import Engine
import Model

/// Fine-tuning for questions with answers: TVQA, How2QA.
public final class QuestionLearning: LearningTask {
  public let name: String
  public let model: QuestionModel
  public let trainingLoader: QuestionLoader
  private let spanWeight: Float

  /// - Parameter spanWeight: `lw_st_ed`.
  public init(name: String, model: QuestionModel, loader: QuestionLoader, spanWeight: Float) {
    self.name = name
    self.model = model
    trainingLoader = loader
    self.spanWeight = spanWeight
  }

  public var store: ParameterStore { model.store }

  public func loss(
    _ tape: Tape, _ batch: QuestionBatch, update: Int, random: inout RandomStream
  ) -> [LossPart] {
    let loss = model.loss(tape, batch, spanWeight: spanWeight)
    return [LossPart("qa", loss.answer), LossPart("st_ed", loss.span, weight: spanWeight)]
  }
}

/// Fine-tuning for statements: VIOLIN.
public final class StatementLearning: LearningTask {
  public let name: String
  public let model: StatementModel
  public let trainingLoader: StatementLoader

  public init(name: String, model: StatementModel, loader: StatementLoader) {
    self.name = name
    self.model = model
    trainingLoader = loader
  }

  public var store: ParameterStore { model.store }

  public func loss(
    _ tape: Tape, _ batch: QuestionBatch, update: Int, random: inout RandomStream
  ) -> [LossPart] {
    [LossPart("loss", model.loss(tape, batch))]
  }
}
