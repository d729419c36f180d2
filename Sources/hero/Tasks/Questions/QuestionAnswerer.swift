import Corpus
import Engine
import Foundation
import Formats
import Model
import Text

/// What a model answers to a typed question.
public struct AnsweredQuestion: Equatable, Sendable {
  /// How probable each answer is; together 1.
  public var probabilities: [Float]
  /// The place of the most probable answer.
  public var chosen: Int
  /// Where in the video the question's moment is, in seconds; nil where the model was not trained
  /// to find it.
  public var moment: TimeSpan?
}

/// Answers typed questions, as an evaluation answers those of a store.
public struct QuestionAnswerer {
  private let model: QuestionModel
  private let videos: VideoReader
  private let tokenizer: Tokenizer
  private let frameInterval: Double
  private let findsMoments: Bool

  /// - Parameters:
  ///   - frameInterval: seconds between frames.
  ///   - findsMoments: whether the model was trained to find the moments of questions.
  public init(
    model: QuestionModel, videos: VideoReader, tokenizer: Tokenizer, frameInterval: Double, findsMoments: Bool
  ) {
    (self.model, self.videos, self.tokenizer) = (model, videos, tokenizer)
    (self.frameInterval, self.findsMoments) = (frameInterval, findsMoments)
  }

  /// - Parameters:
  ///   - answers: what to choose from, at least one.
  ///   - span: the question's moment; nil for the whole video. It matters if the video has more
  ///     frames than the model reads: then as many are read, with the moment in their middle.
  /// - Throws: `DataError` for a video that the stores lack or that cannot be read, for texts that
  ///   are too long, and for a moment that begins after the video's end or is longer than the
  ///   model's input.
  public func answer(
    _ question: String, _ answers: [String], video: String, _ span: TimeSpan? = nil
  ) throws -> AnsweredQuestion {
    let texts = AskedEntry.texts(
      question: tokenizer.encodeQuery(question), answers: answers.map(tokenizer.encodeQuery),
      sep: tokenizer.sep)
    let longest = model.configuration.cross.positions
    for text in texts where text.count > longest {
      throw DataError(
        "the question with an answer has \(text.count) tokens, the model reads \(longest)",
        cure: "Ask shorter")
    }
    try videos.check([video])
    for text in texts { try checkTokens(text, model.configuration, "the question") }
    let whole = try videos.open(video)
    let isCut = whole.frameCount > videos.maxClipLength ?? .max
    let frames = try whole.frames(of: isCut ? span : nil, interval: frameInterval)
    let (item, first) = try videos.read(whole, around: frames)
    try item.check(model.configuration)
    let batch = QuestionBatch(
      videos: try VideoBatch([item], passes: texts.map { (0, $0) }, model: model.configuration), texts: texts,
      pairsPerQuestion: [texts.count], targets: [-1], spans: [.unknown])
    let backend = model.store.backend
    let output = model(
      .inference(backend), batch.prepared(for: model.configuration, on: backend), withSpans: findsMoments)
    let choice = AnswerChoice(backend.values(of: output.answers)[...])
    return AnsweredQuestion(
      probabilities: choice.logProbabilities.map { exp($0) }, chosen: choice.best,
      moment: output.spans.flatMap { moment(backend.values(of: $0), after: first) })
  }

  /// The first and last frame that are most probable together, as seconds.
  /// - Parameters:
  ///   - logits: those of the first frame, one a frame of what was read, then those of the last.
  ///   - first: the frame of the video with which that begins.
  private func moment(_ logits: [Float], after first: Int) -> TimeSpan? {
    let frames = logits.count / 2
    guard frames > 0 else { return nil }
    // The best first frame up to each last one.
    var (start, best) = (0, FrameSpan(start: 0, end: 0))
    var most = -Float.infinity
    for end in 0..<frames {
      if logits[end] > logits[start] { start = end }
      let score = logits[start] + logits[frames + end]
      if score > most { (most, best) = (score, FrameSpan(start: start, end: end)) }
    }
    return TimeSpan(
      start: Double(first + best.start) * frameInterval, end: Double(first + best.end + 1) * frameInterval)
  }
}
