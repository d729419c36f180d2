import Corpus
import Engine
import Formats
import Model
import Tasks
import Text

/// The model of a run that answers questions with the stores that it reads, opened to be asked
/// about videos.
public struct OpenedAnswering {
  /// Where the videos come from.
  public let videos: VideoReader
  /// Answers that a question of the run's task has: what is asked should not have more.
  public let answersPerQuestion: Int
  private let answerer: QuestionAnswerer

  /// - Parameters:
  ///   - path: the folder of a run of this program or of the reference.
  ///   - checkpoint: a step, `best`, `latest` or a file.
  ///   - tokenizer: its folder; nil for the one that the subtitles' store was made with.
  ///   - arguments: options that overrule the run's, such as the stores.
  /// - Throws: `DataError` where the run's task, the width of the features or the tokenizer does
  ///   not fit.
  public init(
    path: String, checkpoint: String, tokenizer: String?, arguments: [String] = [], log: RunLog,
    backend: any Backend
  ) throws {
    let made = try RunMade(
      path: path, usual: .tvqa, arguments: arguments, for: .description, log: log,
      communicator: SoleCommunicator.shared)
    let cure = "Give a run that 'hero finetune' trained for tvqa or how2qa"
    try made.require(.questionAnswering, cure: cure)
    let configuration = made.context.configuration
    guard let answers = configuration.task.annotation?.answersPerQuestion else {
      throw DataError(
        "was trained for \(configuration.task.rawValue), which takes no questions", file: path,
        place: "log/hps.json", cure: cure)
    }
    answersPerQuestion = answers
    let suite = QuestionSuite<QuestionModel>(run: made.context)
    videos = try suite.open(toEvaluate: "")
    try made.require(videos.features, checkpoint: checkpoint)
    let model = try made.model(
      of: suite, featureWidth: try suite.featureWidth(of: videos), checkpoint: checkpoint, backend: backend
    ).model
    let folder = try TokenizerFolder.find(option: tokenizer, note: videos.subtitles?.meta.tokenizer)
    let text = try TokenizerFolder.open(folder)
    try made.require(text, at: folder, videos.subtitles, model.configuration)
    answerer = QuestionAnswerer(
      model: model, videos: videos, tokenizer: text, frameInterval: configuration.frameInterval,
      findsMoments: configuration.spanWeight > 0)
  }

  /// How the model answers a question about a video.
  /// - Parameter span: the moment that is asked about, by which a part of a long video is chosen;
  ///   nil for the whole video.
  /// - Throws: `DataError` for a video that the stores lack or that cannot be read, for texts that
  ///   are too long, and for a moment that begins after the video's end or is longer than what the
  ///   model reads.
  public func answer(
    _ question: String, _ answers: [String], video: String, _ span: TimeSpan? = nil
  ) throws -> AnsweredQuestion {
    try answerer.answer(question, answers, video: video, span)
  }
}
