import Engine

extension VideoEncoder {
  /// Frames and embedded text of every pair through the temporal transformer together; the frames' rows of it.
  /// - Returns: [Σ frames, width]
  func encode(_ tape: Tape, _ input: QuestionInput) -> Tensor {
    let frames = temporal.embed(tape, fuse(tape, input.videos), places: input.videos.places)
    let text = cross.embed(tape, input.texts)
    let together = tape.gatherSum([(frames, input.fromFrames), (text, input.fromText)])
    return temporal.encode(tape, together, input.passes, selection: input.frames)
  }
}

/// Video question answering (Docs/Computation.md §2 "VideoQA"; the reference's `HeroForVideoQA`).
public final class QuestionModel: HeroModel {
  public let trunk: ModelTrunk
  private let answerPool: Linear
  private let answerHead: PredictionHead
  private let spanPool: Linear
  private let spanHead: PredictionHead

  public init(_ configuration: ModelConfiguration, backend: any Backend) {
    trunk = ModelTrunk(configuration, backend: backend)
    let (scope, width) = (trunk.scope, configuration.cross.hiddenSize)
    answerPool = Linear(scope["qa_pool"], width, 1, bias: false)
    answerHead = PredictionHead(scope["qa_pred_head"], width, 1)
    spanPool = Linear(scope["st_ed_pool"], width, 1, bias: false)
    spanHead = PredictionHead(scope["st_ed_pred_head"], width, 2)
  }

  /// - Returns: `answers` [1, pairs], the questions' answers end to end; `spans` [2, Σ frames of the questions], start
  ///   logits above end logits; nil unless `withSpans`.
  public func callAsFunction(
    _ tape: Tape, _ input: QuestionInput, withSpans: Bool = true
  ) -> (answers: Tensor, spans: Tensor?) {
    let frames = videoEncoder.encode(tape, input)
    let pooled = tape.softmaxPool(
      frames, scores: answerPool(tape, frames), segments: input.videos.segments)
    let answers = tape.transpose(answerHead(tape, pooled))
    guard withSpans else { return (answers, nil) }
    let regrouped = tape.gather(frames, input.regrouped)
    let perFrame = tape.softmaxPool(
      regrouped, scores: spanPool(tape, regrouped), segments: input.groups)
    return (answers, tape.transpose(spanHead(tape, perFrame)))
  }
}

/// Statements about videos, true or false (Docs/Computation.md §2 "VIOLIN"; the reference's `HeroForViolin`).
public final class StatementModel: HeroModel {
  public let trunk: ModelTrunk
  private let pool: Linear
  private let head: PredictionHead

  public init(_ configuration: ModelConfiguration, backend: any Backend) {
    trunk = ModelTrunk(configuration, backend: backend)
    let (scope, width) = (trunk.scope, configuration.cross.hiddenSize)
    pool = Linear(scope["violin_pool"], width, 1, bias: false)
    head = PredictionHead(scope["violin_pred_head"], width, 1)
  }

  /// - Returns: [statements, 1], the logits of being true.
  public func callAsFunction(_ tape: Tape, _ input: QuestionInput) -> Tensor {
    let frames = videoEncoder.encode(tape, input)
    return head(
      tape, tape.softmaxPool(frames, scores: pool(tape, frames), segments: input.videos.segments))
  }
}
