import CFFmpeg
import Formats

/// A video file that has been opened: what its container says of its first stream of moving pictures.
///
/// Any container and codec that the installed FFmpeg reads. One thread at a time.
public final class VideoFile {
  /// The path, as the user named it.
  public let path: String
  /// Seconds: of the stream if its container says so, else of the file; nil if nobody says.
  public let duration: Double?
  /// Pixels of a picture as it is shown, after the rotation that the file asks for.
  public let width: Int
  public let height: Int
  /// Average frames a second; nil if unknown.
  public let frameRate: Double?
  /// What FFmpeg calls the codec, as `h264`.
  public let codec: String

  let context: UnsafeMutablePointer<AVFormatContext>
  let stream: UnsafeMutablePointer<AVStream>
  let rotation: DisplayRotation

  /// The most pixels of a side: larger than any codec's, and small enough that no product overflows.
  private static let longestSide = 1 << 15

  /// Opens the file at `path` and reads its headers.
  ///
  /// Throws `DataError` if it cannot be opened, is no video, or FFmpeg is not installed.
  public init(path: String) throws {
    try FFmpeg.load()
    self.path = path
    let context = try Self.open(path)
    self.context = context
    var closing: UnsafeMutablePointer<AVFormatContext>? = context
    do {
      let stream = try Self.pictures(of: context, path: path)
      self.stream = stream
      let parameters = stream.pointee.codecpar.pointee
      let (width, height) = (Int(parameters.width), Int(parameters.height))
      guard (1...Self.longestSide).contains(width), (1...Self.longestSide).contains(height) else {
        throw DataError("pictures of \(width)×\(height) pixels", file: path, cure: "The file is damaged")
      }
      rotation = DisplayRotation(of: stream)
      (self.width, self.height) = rotation.swapsSides ? (height, width) : (width, height)
      codec = String(cString: avcodec_get_name(parameters.codec_id))
    } catch {
      avformat_close_input(&closing)
      throw error
    }
    let unit = stream.pointee.time_base.value ?? 0
    let (own, whole) = (stream.pointee.duration, context.pointee.duration)
    duration =
      own > 0 && own != FFmpeg.noTime
      ? Double(own) * unit : whole > 0 && whole != FFmpeg.noTime ? Double(whole) / 1e6 : nil
    frameRate = [stream.pointee.avg_frame_rate, stream.pointee.r_frame_rate].lazy.compactMap(\.value)
      .first { $0 > 0 && $0.isFinite }
  }

  deinit {
    var closing: UnsafeMutablePointer<AVFormatContext>? = context
    avformat_close_input(&closing)
  }

  /// The file only: no address within it leads anywhere else.
  static func open(_ path: String) throws -> UnsafeMutablePointer<AVFormatContext> {
    var options: OpaquePointer?
    av_dict_set(&options, "protocol_whitelist", "file", 0)
    defer { av_dict_free(&options) }
    var context: UnsafeMutablePointer<AVFormatContext>?
    try FFmpeg.check(
      avformat_open_input(&context, "file:" + path, nil, &options), "open the video", file: path)
    guard let opened = context else { throw DataError("cannot open the video", file: path) }
    let code = avformat_find_stream_info(opened, nil)
    if code < 0 {
      avformat_close_input(&context)
      try FFmpeg.check(code, "read the video's streams", file: path)
    }
    return opened
  }

  /// The first stream of moving pictures; a cover is none. The others are not read.
  private static func pictures(
    of context: UnsafeMutablePointer<AVFormatContext>, path: String
  ) throws -> UnsafeMutablePointer<AVStream> {
    var found: UnsafeMutablePointer<AVStream>?
    for number in 0..<Int(context.pointee.nb_streams) {
      guard let stream = context.pointee.streams[number] else { continue }
      let isVideo = stream.pointee.codecpar.pointee.codec_type == AVMEDIA_TYPE_VIDEO
      if found == nil, isVideo, stream.pointee.disposition & AV_DISPOSITION_ATTACHED_PIC == 0 {
        found = stream
      } else {
        stream.pointee.discard = AVDISCARD_ALL
      }
    }
    guard let found else { throw DataError("there are no moving pictures in the file", file: path) }
    return found
  }
}
