import Engine

extension VideoEncoder {
  /// Runs each video's rows and its pair's embedded text through the temporal transformer together.
  /// - Returns: the videos' rows, [Σ rows of the videos, width].
  func encode(_ tape: Tape, _ input: QuestionInput) -> Tensor {
    let frames = embed(tape, input.videos)
    let text = cross.embed(tape, input.texts)
    let together = tape.gatherSum([(frames, input.fromFrames), (text, input.fromText)])
    return temporal.encode(tape, together, input.passes, selection: input.frames)
  }
}

/// Video question answering (Docs/Computation.md §2 "VideoQA"; the reference's `HeroForVideoQA`).
public final class QuestionModel: HeroModel {
  /// The parameters, configuration and video encoder.
  public let trunk: ModelTrunk
  private let answerHead: PooledPrediction
  private let spanHead: PooledPrediction

  /// Declares the heads `qa` and `st_ed`.
  public init(sharing trunk: ModelTrunk) {
    self.trunk = trunk
    let (scope, width) = (trunk.scope, trunk.configuration.cross.hiddenSize)
    answerHead = PooledPrediction(scope, "qa", width, 1)
    spanHead = PooledPrediction(scope, "st_ed", width, 2)
  }

  /// Computes the logits of answers and spans.
  /// - Returns: `answers`, [1, pairs], has the questions' answers one after the other. `spans`, [2,
  ///   Σ frames of the questions], has start logits above end logits; nil unless `withSpans`.
  public func callAsFunction(
    _ tape: Tape, _ input: QuestionInput, withSpans: Bool = true
  ) -> (answers: Tensor, spans: Tensor?) {
    let frames = videoEncoder.encode(tape, input)
    let answers = tape.transpose(answerHead(tape, frames, input.videos.rows))
    guard withSpans else { return (answers, nil) }
    let regrouped = tape.gather(frames, input.regrouped)
    return (answers, tape.transpose(spanHead(tape, regrouped, input.groups)))
  }
}

/// Judgement of statements about videos (Docs/Computation.md §2 "VIOLIN").
///
/// The reference's `HeroForViolin`.
public final class StatementModel: HeroModel {
  /// The parameters, configuration and video encoder.
  public let trunk: ModelTrunk
  private let head: PooledPrediction

  /// Declares the head `violin`, or shares `qa` where the trunk joins answers.
  public init(sharing trunk: ModelTrunk) {
    self.trunk = trunk
    head = PooledPrediction(
      trunk.scope, trunk.joinsAnswers ? "qa" : "violin", trunk.configuration.cross.hiddenSize, 1)
  }

  /// - Returns: the logits of being true, [statements, 1].
  public func callAsFunction(_ tape: Tape, _ input: QuestionInput) -> Tensor {
    head(tape, videoEncoder.encode(tape, input), input.videos.rows)
  }
}
