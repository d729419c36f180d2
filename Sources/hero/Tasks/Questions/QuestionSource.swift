import Engine
import Model

/// Fine-tuning for questions and statements about videos: TVQA, How2QA, VIOLIN.
public final class QuestionSource<Answering: AnsweringModel>: ModelSource {
  /// The name in logs, such as `tvqa`.
  public let name: String
  /// The model whose parameters the run trains.
  public let model: Answering
  /// The maker of the batches.
  public let loader: QuestionLoader<Answering.Store>
  private let spanWeight: Float

  /// - Parameter spanWeight: the weight of the moments (`lw_st_ed`).
  public init(name: String, model: Answering, loader: QuestionLoader<Answering.Store>, spanWeight: Float) {
    self.name = name
    self.model = model
    self.loader = loader
    self.spanWeight = spanWeight
  }

  /// Computes the model's terms: answers, and moments where the store has them.
  public func loss(
    _ tape: Tape, _ input: QuestionInput?, among share: BatchShare, update: Int, random: inout RandomStream
  ) -> [LossTerm] {
    model.loss(tape, input, among: share, spanWeight: spanWeight)
  }
}
