import Engine
import Model

/// Fine-tuning for what is asked about videos: TVQA, How2QA, VIOLIN.
public final class QuestionSource<Answering: AnsweringModel>: ModelSource {
  public let name: String
  public let model: Answering
  public let loader: QuestionLoader<Answering.Store>
  private let spanWeight: Float

  /// - Parameter spanWeight: `lw_st_ed`.
  public init(name: String, model: Answering, loader: QuestionLoader<Answering.Store>, spanWeight: Float) {
    self.name = name
    self.model = model
    self.loader = loader
    self.spanWeight = spanWeight
  }

  public func loss(
    _ tape: Tape, _ input: QuestionInput?, among share: BatchShare, update: Int, random: inout RandomStream
  ) -> [LossTerm] {
    model.loss(tape, input, among: share, spanWeight: spanWeight)
  }
}
