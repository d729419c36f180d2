import Engine
import Model

/// Fine-tuning for questions and statements about videos: TVQA, How2QA, VIOLIN.
public final class QuestionSource<Answering: AnsweringModel>: ModelSource {
  /// As logs name it, such as `tvqa`.
  public let name: String
  /// Its parameters are those that the run trains.
  public let model: Answering
  /// What the batches come from.
  public let loader: QuestionLoader<Answering.Store>
  private let spanWeight: Float

  /// - Parameter spanWeight: `lw_st_ed`.
  public init(name: String, model: Answering, loader: QuestionLoader<Answering.Store>, spanWeight: Float) {
    self.name = name
    self.model = model
    self.loader = loader
    self.spanWeight = spanWeight
  }

  /// The model's own terms: answers, and moments where the store has them.
  public func loss(
    _ tape: Tape, _ input: QuestionInput?, among share: BatchShare, update: Int, random: inout RandomStream
  ) -> [LossTerm] {
    model.loss(tape, input, among: share, spanWeight: spanWeight)
  }
}
