import CFFmpeg
import Formats
import Foundation

/// A moment of a video, copied into a file of its own without re-encoding.
///
/// FFmpeg's libraries do the work, which hero loads at run time for everything on videos. FFmpeg's
/// program need not be installed. The allowed formats and protocols are those of feature
/// extraction.
///
/// A decoder must start from a key picture, so the file starts at the last one before the moment.
/// MP4 holds an edit list, by which players start at the moment itself. It serves for all codecs
/// that it can hold. Matroska serves for the others, and plays from the key picture. At the end a
/// few pictures may follow that are coded before the moment's last one.
public struct VideoCut: Sendable {
  /// The limits of a cut.
  public struct Limits: Sendable {
    /// The longest moment, in seconds.
    public var moment = 3600.0
    /// The largest file, in bytes.
    public var bytes = 8 << 30
    /// The longest run time, in seconds.
    public var time = 3600.0

    /// Creates the default limits.
    public init() {}
  }

  /// The file's path.
  public let path: String
  /// The size of the file in bytes.
  public let bytes: Int
  /// The time in the video of the file's first picture, a key picture, in seconds.
  public let begins: Double
  /// Whether players that follow edit lists start at the moment itself.
  public let isExact: Bool

  /// Returns the file name extension for moments of a video: `mp4` or `mkv`.
  ///
  /// - Throws: `DataError` if the video cannot be opened.
  public static func ending(of video: String) throws -> String { try CutSource(video).ending }

  /// Writes a moment to a new file.
  ///
  /// - Parameters:
  ///   - video: the path of the video.
  ///   - start: seconds from the video's beginning, as is `end`.
  ///   - file: the path to write, with the extension that ``ending(of:)`` returns.
  ///   - check: is called often; an error that it throws ends the work.
  /// - Throws: `DataError` if the video cannot be read or cut, a limit is exceeded, or `file`
  ///   exists. No new file is left then.
  public static func write(
    _ video: String, from start: Double, to end: Double, into file: String, limits: Limits = Limits(),
    check: () throws -> Void = {}
  ) throws -> VideoCut {
    guard start >= 0, end > start, end.isFinite, end < 1e9 else {
      throw DataError("there is no moment from \(start) to \(end) s", file: video)
    }
    guard end - start <= limits.moment else {
      throw DataError(
        "the moment is \(Int(end - start)) s long, and \(Int(limits.moment)) s are cut at most", file: video,
        cure: "Ask for a part of it")
    }
    guard !exists(file) else { throw existsAlready(file) }
    let temporary = "\(file).\(getpid()).\(UInt32.random(in: 0 ... .max)).part"
    defer { unlink(temporary) }
    let deadline = ContinuousClock.now + .seconds(limits.time)
    var source = try CutSource(video)
    var sink = try CutSink(source, path: temporary)
    var begins = try source.copy(
      from: start, to: end, entering: start, into: sink, limits: limits, deadline: deadline, check: check)
    // If reading met no key picture, start further back, at last from the file's beginning.
    for back in [10, 60, nil] as [Double?] where begins == nil {
      let place = back.map { start - $0 }
      if let place, place <= 0 { continue }
      let first = try CutSource(video).key(
        before: start, end: end, entering: place, limits: limits, deadline: deadline, check: check)
      guard let first else { continue }
      source = try CutSource(video)
      sink = try CutSink(source, path: temporary)
      begins = try source.copy(
        from: start, to: end, entering: place, first: first, into: sink, limits: limits,
        deadline: deadline, check: check)
    }
    guard let begins else {
      throw DataError(
        "there is no picture from \(start) to \(end) s that can be shown by itself", file: video,
        cure: "Cut another moment")
    }
    let bytes = try sink.finish()
    // A link never replaces a file. On file systems without links, check first.
    if link(temporary, file) != 0 {
      guard errno != EEXIST, !exists(file) else { throw existsAlready(file) }
      guard rename(temporary, file) == 0 else { throw DataError.system("write", file: file) }
    }
    return VideoCut(path: file, bytes: bytes, begins: begins, isExact: source.ending == "mp4")
  }

  private static func exists(_ path: String) -> Bool {
    var status = stat()
    return lstat(path, &status) == 0
  }

  /// Returns the error for an existing file.
  public static func existsAlready(_ path: String) -> DataError {
    DataError("exists already, and stays as it is", file: path, cure: "Move it to have it written anew")
  }

  /// Returns a file name from the video and the times in seconds: `VIDEO_83.0-90.5.mp4`.
  ///
  /// - Parameter video: any text; characters that no file name can hold become `_`.
  public static func name(of video: String, from start: Double, to end: Double, ending: String) -> String {
    var bytes: [UInt8] = []
    for scalar in video.unicodeScalars {
      let isPlain =
        scalar.value > 0x1F && !(0x7F...0x9F).contains(scalar.value) && scalar != "/" && scalar != "\\"
      let spelled = isPlain ? Array(String(scalar).utf8) : [UInt8(ascii: "_")]
      guard bytes.count + spelled.count <= longestName else { break }
      bytes += spelled
    }
    if bytes.isEmpty || bytes[0] == UInt8(ascii: ".") { bytes.insert(UInt8(ascii: "_"), at: 0) }
    let times = String(format: "%.1f-%.1f", start, end)
    return "\(String(decoding: bytes, as: UTF8.self))_\(times).\(ending)"
  }

  private static let longestName = 180
}
