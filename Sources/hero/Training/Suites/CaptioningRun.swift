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
  ///   - overwrites: whether an `output` that is there may be replaced.
  ///   - options: how captions are searched for.
  /// - Returns: the captioned rows, which stand in `output` too, and the rows of `clips`.
  public func run(
    checkpoint: String, clips: String, output: String, overwrites: Bool = false, tokenizer: String?,
    _ options: DecodingOptions, backend: any Backend
  ) throws -> (captions: [CaptionRow], clips: [CaptionRow]) {
    if made.context.communicator.isFirst { try OutputFile.require(output, overwrites: overwrites) }
    let rows = try CaptionRow.read(path: clips, skips: SkipReport(log: made.context.log))
    var seen: Set<QueryID> = []
    let repeated = rows.map(\.clip).filter { !seen.insert($0).inserted }
    if let first = repeated.first {
      made.context.log.warning(
        "\(clips): \(repeated.count) rows repeat the id of a clip, the first \(first). Each gets a caption of "
          + "its own; scores take a clip once")
    }
    let opened = try OpenedCaptioning(
      made, checkpoint: checkpoint, tokenizer: tokenizer, options, backend: backend)
    let communicator = made.context.communicator
    let (captions, leftOut) = try CaptionSuite.caption(rows, opened.generator(), communicator)
    if leftOut > 0 {
      made.context.log.warning(
        "\(leftOut) of \(rows.count) clips could not be described; their captions are empty")
    }
    if communicator.isFirst { try CaptionRow.write(captions, to: output) }
    return (captions, rows)
  }
}
