import Formats
import Text

/// A builder of the text stores that training and evaluation read: what `hero create-txtdb` runs.
///
/// It does the work of the reference's `prepro_query.py`, `prepro_sub.py` and `prepro_tvc.py`. The
/// annotation is in the form that its authors publish or in the reference's; its content tells
/// which. The builder reads it row by row, so memory holds only ids. It names and skips rows that
/// it cannot use. The folder appears under its name only when it is complete. Nothing that exists
/// is overwritten.
public struct TextStoreBuilder: Sendable {
  /// The task, which decides how the annotation is read and what the store holds.
  public var task: TextStoreTask
  /// The annotation file; for subtitles also a subtitle file or a folder of them, each named after
  /// its video.
  public var annotation: String
  /// Further subtitle files and folders.
  public var moreSubtitles: [String] = []
  /// The encoding of subtitle files that do not name theirs; guessed if nil.
  public var encoding: String?
  /// Returns the frame rate of a subtitle file's video, for files that count frames and name no
  /// rate.
  public var subtitleFrameRate: (@Sendable (_ path: String, _ video: String) -> Double?)?
  /// The folder to make.
  public var output: String
  /// The folder of the tokenizer, which the store's `meta.json` names.
  public var tokenizer: String
  /// The compression of the values; the reference reads `lz4` only.
  public var compression = Compression.zstd
  /// The JSON file {video: frames} that subtitles need.
  public var vid2nframe: String?
  /// The feature store that has the frames, in place of `vid2nframe`.
  public var featureStore: String?
  /// The seconds per frame, for subtitles.
  public var frameLength = 1.5
  /// The number of frames of each empty sentence in a video without subtitles (`nframe_group`); 0
  /// for no such sentences.
  public var frameGroup = 5
  /// The JSON file {split: {video: [seconds, index]}}.
  ///
  /// A subtitle store gets a copy. A query store whose queries name no video takes its list of
  /// videos from the file.
  public var vid2durIdx: String?
  /// The JSON lines of subtitles that TVC needs.
  public var subtitles: String?
  /// The split to take of an annotation file that holds several; nil for all.
  public var split: String?
  /// The length in seconds of the pieces `<vid>.<k>` into which How2's features were cut; 0 if
  /// uncut.
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

  /// Calls `handle` with every usable row; counts and reports what it throws as `BadRow`.
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

/// The result of building a store from an annotation.
public struct TextStoreReport: Equatable, Sendable, CustomStringConvertible {
  /// The number of rows in the store.
  public internal(set) var rows = 0
  /// The number of rows that could not be used.
  public internal(set) var skipped = 0
  /// Further notes for the user, a line each.
  public internal(set) var notes: [String] = []
  var firstProblem: String?

  /// Counts and reports a row that cannot be used.
  mutating func skip(_ message: String, _ onSkip: (String) -> Void) {
    skipped += 1
    firstProblem = firstProblem ?? message
    onSkip(message)
  }

  /// Notes a missing video that is present under a similar name.
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
  /// The reason as a clause, such as `there is no video "x"`.
  public var reason: String

  init(_ reason: String) { self.reason = reason }
}
