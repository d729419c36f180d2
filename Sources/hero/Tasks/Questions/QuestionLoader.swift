import Corpus
import Engine
import Formats
import Model

/// Batches of questions, each with its video and answers (spec §4, §5 "VideoQA"; the reference's `VideoQaDataset`).
public struct QuestionLoader: QuestionBatchLoader {
  public let questions: QAStore
  public let videos: VideoReader
  /// The questions to use.
  public let ids: [String]
  /// Seconds between frames.
  public let frameInterval: Double
  /// What the batches are for.
  public let model: ModelConfiguration
  private let report: SkipReport

  /// - Parameters:
  ///   - maxTextLength: questions that have more tokens with their longest answer are left out; none are if it is not
  ///     positive, as in evaluation.
  ///   - onSkip: told of every question that cannot be used, or whose moment cannot.
  /// - Throws: `DataError` naming a video that the stores lack.
  public init(
    questions: QAStore, videos: VideoReader, maxTextLength: Int, frameInterval: Double,
    model: ModelConfiguration, onSkip: @escaping @Sendable (DataError) -> Void = { _ in }
  ) throws {
    self.questions = questions
    self.videos = videos
    self.frameInterval = frameInterval
    self.model = model
    report = SkipReport(onSkip)
    ids = questions.ids(maxTextLength: maxTextLength)
    try videos.check(Set(ids.compactMap { questions.video(of: $0) }).sorted())
  }

  public var itemCount: Int { ids.count }

  public func batch(of items: [Int], random: RandomStream) throws -> QuestionBatch? {
    try load(items)?.batch
  }

  func load(_ items: [Int]) throws -> (ids: [String], batch: QuestionBatch)? {
    var asked = AskedVideos(videos, model: model)
    var used: [String] = []
    var (counts, targets): ([Int], [Int]) = ([], [])
    var spans: [(start: Int, end: Int)] = []
    let sep = questions.meta.sep
    for id in items.map({ ids[$0] }) {
      do {
        let question = try questions.question(id)
        guard let video = question.video else { throw DataError("its video is not known") }
        let texts = question.answers.map { [sep] + question.tokens + [sep] + $0 }
        let frames = try asked.ask(video, texts, item: "question \(id)")
        used.append(id)
        counts.append(texts.count)
        targets.append(question.target ?? -1)
        spans.append(target(question, frames: frames))
      } catch let error as DataError {
        report.skip("question \(id)", file: questions.path, error)
      }
    }
    guard !used.isEmpty else { return nil }
    return (used, try asked.batch(pairsPerQuestion: counts, targets: targets, spans: spans))
  }

  private func target(_ question: Question, frames: Int) -> (start: Int, end: Int) {
    if let span = question.span { return frameTarget(span, frames: frames, interval: frameInterval) }
    // Hidden splits have neither; a question with an answer should have a moment.
    if question.target != nil {
      report.skip(
        "question \(question.id)", file: questions.path,
        DataError("its moment does not parse", cure: "Its answer is used all the same"))
    }
    return (-1, -1)
  }
}
