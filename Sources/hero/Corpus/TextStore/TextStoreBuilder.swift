import Formats
import Text

/// Makes the text stores that training and evaluation read, as the reference's `prepro_query.py`,
/// `prepro_sub.py` and `prepro_tvc.py` do: what `hero create-txtdb` runs.
///
/// The annotation is in the form that its authors publish or in the reference's; its content tells
/// which. It is read row by row, so that memory holds only ids. Rows that cannot be used are named
/// and skipped. The folder appears under its name only when it is whole, and nothing that exists is
/// overwritten.
public struct TextStoreBuilder: Sendable {
  /// Decides how the annotation is read and what the store holds.
  public var task: TextStoreTask
  /// The annotation file; for subtitles also a file of subtitles or a folder of such, each named
  /// after its video.
  public var annotation: String
  /// More of such files and folders.
  public var moreSubtitles: [String] = []
  /// What subtitle files are in that do not say it; guessed if nil.
  public var encoding: String?
  /// The frames a second of the video of a subtitle file, for those that count frames and do not
  /// say it.
  public var subtitleFrameRate: (@Sendable (_ path: String, _ video: String) -> Double?)?
  /// The folder to make.
  public var output: String
  /// The folder of the tokenizer, which the store's `meta.json` names.
  public var tokenizer: String
  /// How the values are compressed; the reference reads `lz4` only.
  public var compression = Compression.zstd
  /// JSON file {video: frames}, needed for subtitles …
  public var vid2nframe: String?
  /// … or the feature store that has the frames.
  public var featureStore: String?
  /// Seconds per frame, for subtitles.
  public var frameLength = 1.5
  /// Frames of each empty sentence that a video without subtitles gets (`nframe_group`); 0 for
  /// none.
  public var frameGroup = 5
  /// JSON file {split: {video: [seconds, index]}}: copied into a subtitle store, and the list of
  /// videos of a query store whose queries do not tell theirs.
  public var vid2durIdx: String?
  /// JSON lines of subtitles, needed for TVC.
  public var subtitles: String?
  /// The part to take of an annotation file that holds several; all of it if nil.
  public var split: String?
  /// Seconds of the pieces `<vid>.<k>` into which How2's features were cut; 0 if they were not.
  public var clipInterval = 60.0

  /// - Parameters:
  ///   - annotation: a file; for subtitles also a folder.
  ///   - output: the folder to make, which must not exist.
  ///   - tokenizer: a folder.
  public init(task: TextStoreTask, annotation: String, output: String, tokenizer: String) {
    self.task = task
    self.annotation = annotation
    self.output = output
    self.tokenizer = tokenizer
  }

  /// Makes the store.
  /// - Parameters:
  ///   - onSkip: called with one line for every row that cannot be used.
  ///   - onNote: called with one line for whatever was guessed, or left out of a row that is used;
  ///     `onSkip` if nil.
  /// - Throws: `DataError` for a file that is missing or malformed, an output that exists, a full
  ///   disk, or an annotation without a single row that can be used.
  @discardableResult
  public func build(
    onSkip: (String) -> Void = { _ in }, onNote: ((String) -> Void)? = nil
  ) throws -> TextStoreReport {
    guard frameLength.isFinite, frameLength > 0 else {
      throw DataError("the frame length is \(frameLength) s", cure: "Give a positive number of seconds")
    }
    let tokenizer = try Tokenizer(directory: tokenizer)
    let folder = try OutputFolder(path: output)
    var report = TextStoreReport()
    switch task.content {
    case .queries, .statements, .windows, .questions, .futures:
      try buildQueries(in: folder, with: tokenizer, report: &report, onSkip: onSkip)
    case .clips:
      try buildCaptions(in: folder, with: tokenizer, report: &report, onSkip: onSkip)
    case .videoCaptions:
      try buildVideoCaptions(in: folder, with: tokenizer, report: &report, onSkip: onSkip)
    case .subtitles:
      if let onNote {
        try buildSubtitles(in: folder, with: tokenizer, report: &report, onSkip: onSkip, onNote: onNote)
      } else {
        try buildSubtitles(in: folder, with: tokenizer, report: &report, onSkip: onSkip, onNote: onSkip)
      }
    }
    guard report.rows > 0 else {
      let first = report.firstProblem.map { $0.hasSuffix(".") ? String($0.dropLast()) : $0 }
      throw DataError(
        first.map { "no row of it can be used; the first: \($0)" } ?? "there is no row in it",
        file: annotation, cure: "Check that it is an annotation of \(task.rawValue)")
    }
    try folder.commit()
    return report
  }

  /// Passes every usable row on; counts and reports what `handle` throws as `BadRow`.
  func forEachRow(
    report: inout TextStoreReport, onSkip: (String) -> Void, _ handle: (JSONObject) throws -> Void
  ) throws {
    var counts = report
    try AnnotationFile(builder: self).forEachRow { place, row in
      do {
        try handle(try row.get())
        counts.rows += 1
      } catch let bad as BadRow {
        counts.skip("\(annotation), \(place): \(bad.reason)", onSkip)
      }
    }
    report = counts
  }
}

/// What came of an annotation.
public struct TextStoreReport: Equatable, Sendable, CustomStringConvertible {
  /// Rows that are in the store.
  public internal(set) var rows = 0
  /// Rows that could not be used.
  public internal(set) var skipped = 0
  /// What the user should know besides.
  public internal(set) var notes: [String] = []
  var firstProblem: String?

  /// Counts and tells a row that cannot be used.
  mutating func skip(_ message: String, _ onSkip: (String) -> Void) {
    skipped += 1
    firstProblem = firstProblem ?? message
    onSkip(message)
  }

  /// Says which of the videos that are missing are there under a name that is much alike.
  mutating func noteNames(missing: [String], among known: some Sequence<String>, in source: String) {
    guard let hint = SimilarNames.hint(missing: missing, among: known) else { return }
    let note = "\(missing.count) rows name a video that \(source) does not have: \(hint)"
    notes.append(note)
    firstProblem = firstProblem.map { "\($0); \(note)" }
  }

  /// The counts and the notes, a line each.
  public var description: String {
    (["\(rows) rows stored, \(skipped) skipped"] + notes).joined(separator: "\n")
  }
}

/// A row of an annotation that cannot be used; the others still can.
public struct BadRow: Error {
  /// As a clause, such as `there is no video "x"`.
  public var reason: String

  init(_ reason: String) { self.reason = reason }
}
