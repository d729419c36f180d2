import Engine

extension VideoEncoder {
  /// Each video's rows and the embedded text of its pair through the temporal transformer together;
  /// the video's rows of it.
  /// - Returns: [Σ rows of the videos, width]
  func encode(_ tape: Tape, _ input: QuestionInput) -> Tensor {
    let frames = embed(tape, input.videos)
    let text = cross.embed(tape, input.texts)
    let together = tape.gatherSum([(frames, input.fromFrames), (text, input.fromText)])
    return temporal.encode(tape, together, input.passes, selection: input.frames)
  }
}

/// Video question answering (Docs/Computation.md §2 "VideoQA"; the reference's `HeroForVideoQA`).
public final class QuestionModel: HeroModel {
  /// Parameters, configuration and video encoder.
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

  /// - Returns: `answers` [1, pairs], the questions' answers end to end; `spans` [2, Σ frames of
  ///   the questions], start logits above end logits; nil unless `withSpans`.
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

/// Statements about videos, true or false (Docs/Computation.md §2 "VIOLIN"; the reference's
/// `HeroForViolin`).
public final class StatementModel: HeroModel {
  /// Parameters, configuration and video encoder.
  public let trunk: ModelTrunk
  private let head: PooledPrediction

  /// Declares the head `violin`, or shares `qa` where the trunk joins answers.
  public init(sharing trunk: ModelTrunk) {
    self.trunk = trunk
    head = PooledPrediction(
      trunk.scope, trunk.joinsAnswers ? "qa" : "violin", trunk.configuration.cross.hiddenSize, 1)
  }

  /// - Returns: [statements, 1], the logits of being true.
  public func callAsFunction(_ tape: Tape, _ input: QuestionInput) -> Tensor {
    head(tape, videoEncoder.encode(tape, input), input.videos.rows)
  }
}
