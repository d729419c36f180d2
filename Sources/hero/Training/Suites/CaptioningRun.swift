import Corpus
import Engine
import Formats
import Metrics
import Model
import Tasks

/// `hero caption`: captions for the clips of a file.
public struct CaptioningRun {
  let made: RunMade

  /// - Parameters:
  ///   - path: the folder of a run of this program or of the reference.
  ///   - arguments: options that overrule the run's.
  ///   - batchSize: videos a pass, in place of the run's.
  ///   - communicator: the ranks that the clips are divided among.
  public init(
    path: String, arguments: [String], batchSize: Int? = nil, log: RunLog,
    communicator: any Communicator = SoleCommunicator.shared
  ) throws {
    made = try RunMade(
      path: path, usual: .tvc, arguments: arguments, batchSize: batchSize, for: .description, log: log,
      communicator: communicator)
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
    let opened = try OpenedCaptioning(
      made, checkpoint: checkpoint, tokenizer: tokenizer, options, backend: backend)
    let rows = try CaptionRow.read(path: clips)
    let communicator = made.context.communicator
    let captions = try CaptionSuite.caption(rows, opened.generator(), communicator)
    if communicator.isFirst { try CaptionRow.write(captions, to: output) }
    return (captions, rows)
  }
}
