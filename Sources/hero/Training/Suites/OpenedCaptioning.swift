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
  fileprivate let suite: CaptionSuite
  private let model: CaptionModel
  private let tokenizer: Tokenizer
  private let options: DecodingOptions

  /// - Parameters:
  ///   - tokenizer: its folder; nil for the run's own, or the one that the subtitles' store was
  ///     made with.
  ///   - options: how captions are searched for.
  /// - Throws: `DataError` where the run's task, the width of the features or the tokenizer does
  ///   not fit.
  public init(
    _ run: SavedRun, tokenizer path: String?, _ options: DecodingOptions, backend: any Backend
  ) throws {
    suite = try run.suite(
      as: CaptionSuite.self, cure: "Give a run that 'hero finetune' trained for tvc, yc2c or vatex_en_c")
    (model, videos) = try run.open(suite, backend: backend)
    tokenizer = try run.tokenizer(
      path ?? run.configuration.tokenizer, [videos.subtitles?.meta].compactMap { $0 }, model.configuration)
    self.options = options
  }

  /// What writes captions for clips.
  /// - Parameter skips: reports what cannot be captioned; nil for the run's log.
  func generator(skips: SkipReport? = nil) -> CaptionGenerator {
    suite.generator([(model, videos)], tokenizer, options, skips: skips)
  }

  /// The caption that `hero caption` writes for a clip. For a clip behind the frames that it reads
  /// (`max_clip_len`), the caption of a part of the video with the clip in its middle.
  /// - Parameter span: nil for the whole video.
  /// - Throws: `DataError` for a video that the stores lack or that cannot be read, and for a clip
  ///   that begins after its end or is longer than the model's input.
  public func caption(_ video: String, _ span: TimeSpan?) throws -> String {
    try generator().caption(video, span)
  }
}

extension SavedRun {
  /// `hero caption`: captions for the clips of a file.
  /// - Parameters:
  ///   - clips: JSON lines with `vid_name`, `clip_id`, `ts`.
  ///   - tokenizer: its folder; nil for the one that the run's stores were made with.
  ///   - overwrites: whether an existing `output` may be replaced.
  ///   - options: greedy or beam search.
  /// - Returns: the captioned rows, which stand in `output` too, and the rows of `clips`.
  public func caption(
    _ clips: String, to output: String, overwrites: Bool = false, tokenizer: String?,
    _ options: DecodingOptions,
    backend: any Backend
  ) throws -> (captions: [CaptionRow], clips: [CaptionRow]) {
    let (log, communicator) = (context.log, context.communicator)
    if communicator.isFirst { try OutputFile.require(output, overwrites: overwrites) }
    let rows = try CaptionRow.read(path: clips, skips: SkipReport(log: log))
    var seen: Set<QueryID> = []
    let repeated = rows.map(\.clip).filter { !seen.insert($0).inserted }
    if let first = repeated.first {
      log.warning(
        "\(clips): \(repeated.count) rows repeat the id of a clip, the first \(first). Each gets a caption of "
          + "its own; scores take a clip once")
    }
    let opened = try OpenedCaptioning(self, tokenizer: tokenizer, options, backend: backend)
    opened.suite.tellOddTimes(of: rows, file: clips, opened.videos)
    let (captions, leftOut) = try CaptionSuite.caption(rows, opened.generator(), communicator)
    if leftOut > 0 {
      log.warning(
        "\(leftOut) of \(rows.count) clips could not be described; their captions are empty")
    }
    if communicator.isFirst { try CaptionRow.write(captions, to: output) }
    return (captions, rows)
  }
}
