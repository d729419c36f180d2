import CFFmpeg
import Formats
import Foundation

/// A moment of a video as a file of its own, without coding anything anew.
///
/// FFmpeg's libraries do it, which the program opens at run time for all work on videos. FFmpeg's
/// program need not be installed, and the same formats and protocols are allowed as for features.
///
/// A decoder needs a key picture to start from, so the file starts at the last one before the
/// moment. MP4 has an edit list by which players start at the moment itself; it serves for all
/// codecs that it can hold. Matroska takes the others, and plays from the key picture. At the end a
/// few pictures may follow that are coded before the moment's last one.
public struct VideoCut: Sendable {
  /// What a cut may take.
  public struct Limits: Sendable {
    /// Seconds of the moment.
    public var moment = 3600.0
    /// Bytes of the file.
    public var bytes = 8 << 30
    /// Seconds of work.
    public var time = 3600.0

    /// The defaults above.
    public init() {}
  }

  /// The file's path.
  public let path: String
  /// Size of the file.
  public let bytes: Int
  /// Seconds of the video at which what is in the file begins: its key picture.
  public let begins: Double
  /// Whether players that follow edit lists begin at the moment itself.
  public let isExact: Bool

  /// The ending of the file that the moments of a video become: `mp4` or `mkv`.
  ///
  /// - Throws: `DataError` if the video cannot be opened.
  public static func ending(of video: String) throws -> String { try CutSource(video).ending }

  /// Writes a moment into a file that is not there yet.
  ///
  /// - Parameters:
  ///   - video: the path of the video.
  ///   - start: seconds from the video's beginning; as `end`.
  ///   - file: the path to write, with the ending that ``ending(of:)`` gives.
  ///   - check: is called often; what it throws ends the work.
  /// - Throws: `DataError` where the video cannot be read or cut, a limit is passed, or there is
  ///   something of the name; then no file is left.
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
    // Where the key picture was not come to, it is looked for before, at last from the beginning.
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
    // A link never takes another file's place; file systems without links have to be asked before.
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

  /// The message for an existing file.
  public static func existsAlready(_ path: String) -> DataError {
    DataError("exists already, and stays as it is", file: path, cure: "Move it to have it written anew")
  }

  /// A name that says video and times, in seconds: `VIDEO_83.0-90.5.mp4`.
  ///
  /// - Parameter video: any text; what no file's name can hold becomes `_`.
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
