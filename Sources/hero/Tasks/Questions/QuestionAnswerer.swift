import Corpus
import Engine
import Foundation
import Formats
import Model
import Text

/// A model's answer to a typed question.
public struct AnsweredQuestion: Equatable, Sendable {
  /// The probability of each answer; together 1.
  public var probabilities: [Float]
  /// The place of the most probable answer.
  public var chosen: Int
  /// The question's moment in the video, in seconds; nil if the model was not trained to find it.
  public var moment: TimeSpan?
}

/// Answering of typed questions, as an evaluation answers those of a store.
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

  /// Answers a question about a video.
  ///
  /// - Parameters:
  ///   - answers: the answers to choose from, at least one.
  ///   - span: the question's moment; nil for the whole video. It matters only if the video has
  ///     more frames than the model reads: the model then reads a part around the moment.
  /// - Throws: `DataError` for a video that is missing or unreadable, for texts that are too long,
  ///   and for a moment that begins after the video's end or exceeds the model's input.
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

  /// Returns the most probable pair of first and last frame, in seconds.
  /// - Parameters:
  ///   - logits: the logits of the first frame, one per frame read, then those of the last.
  ///   - first: the frame of the video at which the frames read begin.
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
