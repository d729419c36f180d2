import Corpus
import Engine
import Formats
import Metrics
import Model
import Tasks

/// `hero caption`: captions for the clips of a file.
public struct CaptioningRun {
  private var configuration: RunConfiguration
  private let folder: RunFolder
  private let log: RunLog
  private let communicator: any Communicator

  /// - Parameters:
  ///   - path: the folder of a run of this program or of the reference.
  ///   - arguments: options that overrule the run's.
  ///   - communicator: the ranks that the clips are divided among.
  public init(
    path: String, arguments: [String], log: RunLog, communicator: any Communicator = SoleCommunicator.shared
  ) throws {
    self.communicator = communicator
    folder = RunFolder(path: path)
    self.log = log
    configuration = try folder.configuration(task: .tvc)
    try configuration.apply(try RunArguments(arguments))
    try configuration.validate()
  }

  /// - Parameters:
  ///   - checkpoint: a step, `best`, `latest` or a file.
  ///   - clips: JSON lines with `vid_name`, `clip_id`, `ts`.
  ///   - tokenizer: its folder; nil for the one that the run's stores were made with.
  ///   - options: how captions are searched for.
  /// - Returns: the captioned rows, which stand in `output` too, and the rows of `clips`.
  public func run(
    checkpoint: String, clips: String, output: String, tokenizer: String?, _ options: DecodingOptions,
    backend: any Backend
  ) throws -> (captions: [CaptionRow], clips: [CaptionRow]) {
    let suite = try CaptionSuite(configuration, log: log, communicator: communicator)
    let (file, _) = try folder.checkpoint(named: checkpoint)
    let videos = try configuration.videoReader(for: "")
    let opened = try OpenedModel(
      configuration, featureWidth: try videos.features.width(), folder: folder, checkpoint: file, log: log)
    try suite.check(opened.shape)
    let rows = try CaptionRow.read(path: clips)
    let model = CaptionModel(opened.shape, backend: backend)
    try opened.load(model.store)
    let text = try CaptionSuite.tokenizer(tokenizer, store: videos.subtitles?.meta)
    let captions = try CaptionSuite.caption(rows, suite.generator(model, videos, text, options), communicator)
    if communicator.isFirst { try CaptionWriter.write(captions, to: output) }
    return (captions, rows)
  }
}
