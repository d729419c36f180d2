import Corpus
import Engine
import Formats
import Metrics
import Model
import Tasks
import Text

/// The model of a captioning run, opened with its stores to describe clips of videos.
public struct OpenedCaptioning {
  /// The reader of the videos.
  public let videos: VideoReader
  fileprivate let suite: CaptionSuite
  private let model: CaptionModel
  private let tokenizer: Tokenizer
  private let options: DecodingOptions

  /// - Parameters:
  ///   - tokenizer: the tokenizer's folder; nil for the run's own, or the one that made the
  ///     subtitle store.
  ///   - options: the options of the search for captions.
  /// - Throws: `DataError` if the run's task, the width of the features or the tokenizer does not
  ///   fit.
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

  /// Returns the generator of captions for clips.
  /// - Parameter skips: reports what cannot be captioned; nil for the run's log.
  func generator(skips: SkipReport? = nil) -> CaptionGenerator {
    suite.generator([(model, videos)], tokenizer, options, skips: skips)
  }

  /// Returns the caption that `hero caption` writes for a clip.
  ///
  /// A clip beyond the frames that the model reads (`max_clip_len`) gets the caption of a part of
  /// the video with the clip in its middle.
  /// - Parameter span: nil for the whole video.
  /// - Throws: `DataError` for a video that the stores lack or that cannot be read, and for a clip
  ///   that begins after the video's end or is longer than the model's input.
  public func caption(_ video: String, _ span: TimeSpan?) throws -> String {
    try generator().caption(video, span)
  }
}

extension SavedRun {
  /// Captions the clips of a file, as `hero caption` does.
  /// - Parameters:
  ///   - clips: JSON lines with `vid_name`, `clip_id`, `ts`.
  ///   - tokenizer: the tokenizer's folder; nil for the one that made the run's stores.
  ///   - overwrites: whether an existing `output` may be replaced.
  ///   - options: greedy or beam search.
  /// - Returns: the captioned rows, which `output` also holds, and the rows of `clips`.
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
