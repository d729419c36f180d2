import Corpus
import Engine
import Formats
import Metrics
import Model
import Tasks
import Text

/// The model of a captioning run with the stores that it reads, opened to describe clips of videos.
public struct OpenedCaptioning {
  /// Where the videos come from.
  public let videos: VideoReader
  let suite: CaptionSuite
  private let model: CaptionModel
  private let tokenizer: Tokenizer
  private let options: DecodingOptions

  /// - Parameters:
  ///   - path: the folder of a run of this program or of the reference.
  ///   - checkpoint: a step, `best`, `latest` or a file.
  ///   - tokenizer: its folder; nil for the one that the subtitles' store was made with.
  ///   - options: how captions are searched for.
  ///   - arguments: options that overrule the run's, such as the stores.
  /// - Throws: `DataError` where the run's task, the width of the features or the tokenizer does
  ///   not fit.
  public init(
    path: String, checkpoint: String, tokenizer: String?, _ options: DecodingOptions,
    arguments: [String] = [],
    log: RunLog, backend: any Backend
  ) throws {
    let made = try RunMade(
      path: path, usual: .tvc, arguments: arguments, for: .description, log: log,
      communicator: SoleCommunicator.shared)
    try self.init(made, checkpoint: checkpoint, tokenizer: tokenizer, options, backend: backend)
  }

  init(
    _ made: RunMade, checkpoint: String, tokenizer path: String?, _ options: DecodingOptions,
    backend: any Backend
  ) throws {
    try made.require(
      .captioning, cure: "Give a run that 'hero finetune' trained for tvc, yc2c or vatex_en_c")
    suite = CaptionSuite(run: made.context)
    videos = try suite.open(toEvaluate: "")
    try made.require(videos.features, checkpoint: checkpoint)
    model = try made.model(
      of: suite, featureWidth: try suite.featureWidth(of: videos), checkpoint: checkpoint, backend: backend
    ).model
    let folder = try TokenizerFolder.find(
      option: path ?? made.context.configuration.tokenizer, note: videos.subtitles?.meta.tokenizer)
    tokenizer = try TokenizerFolder.open(folder)
    try made.require(tokenizer, at: folder, videos.subtitles, model.configuration)
    self.options = options
  }

  /// What writes captions for clips.
  /// - Parameter skips: told of what cannot be captioned; nil for the run's log.
  func generator(skips: SkipReport? = nil) -> CaptionGenerator {
    suite.generator([(model, videos)], tokenizer, options, skips: skips)
  }

  /// The caption that `hero caption` writes for a clip; of clips behind the frames that it reads
  /// (`max_clip_len`), what it would write of a part of the video with the clip in its middle.
  /// - Parameter span: nil for the whole video.
  /// - Throws: `DataError` for a video that the stores lack or that cannot be read, and for a clip
  ///   that begins after its end or is longer than what the model reads.
  public func caption(_ video: String, _ span: TimeSpan?) throws -> String {
    try generator().caption(video, span)
  }
}
