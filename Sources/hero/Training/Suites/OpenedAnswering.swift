import Corpus
import Engine
import Formats
import Model
import Tasks

/// The model of a run that answers questions, opened with its stores to be asked about videos.
public struct OpenedAnswering {
  /// The reader of the videos.
  public let videos: VideoReader
  /// The number of answers to a question of the run's task; a typed question should not have more.
  public let answersPerQuestion: Int
  private let answerer: QuestionAnswerer

  /// - Parameter tokenizer: the tokenizer's folder; nil for the one that made the subtitle store.
  /// - Throws: `DataError` if the run's task, the width of the features or the tokenizer does not
  ///   fit.
  public init(_ run: SavedRun, tokenizer: String?, backend: any Backend) throws {
    let cure = "Give a run that 'hero finetune' trained for tvqa or how2qa"
    let suite = try run.suite(as: QuestionSuite<QuestionModel>.self, cure: cure)
    guard let answers = run.configuration.task.annotation?.answersPerQuestion else {
      throw DataError(
        "was trained for \(run.configuration.task.rawValue), which takes no questions",
        file: run.folder.path, place: "log/hps.json", cure: cure)
    }
    answersPerQuestion = answers
    let model: QuestionModel
    (model, videos) = try run.open(suite, backend: backend)
    answerer = QuestionAnswerer(
      model: model, videos: videos,
      tokenizer: try run.tokenizer(
        tokenizer, [videos.subtitles?.meta].compactMap { $0 }, model.configuration),
      frameInterval: run.configuration.frameInterval, findsMoments: run.configuration.spanWeight > 0)
  }

  /// Answers a question about a video.
  /// - Parameter span: the question's moment, which chooses a part of a long video; nil for the
  ///   whole video.
  /// - Throws: `DataError` for a video that the stores lack or that cannot be read, for texts that
  ///   are too long, and for a moment that begins after the video's end or is longer than the
  ///   model's input.
  public func answer(
    _ question: String, _ answers: [String], video: String, _ span: TimeSpan? = nil
  ) throws -> AnsweredQuestion {
    try answerer.answer(question, answers, video: video, span)
  }
}
