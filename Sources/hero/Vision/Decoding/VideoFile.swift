import CFFmpeg
import Formats
import Foundation

/// An open video file, with what its container says of its largest stream of moving pictures.
///
/// It reads any container and codec that the installed FFmpeg reads. Use it from one thread at a
/// time.
public final class VideoFile {
  /// The path as the user gave it.
  public let path: String
  /// The duration in seconds: the stream's if the container states it, else the file's.
  ///
  /// It is nil if it is unknown, or only estimated from the file's size. Decoding may yield more or
  /// less.
  public let duration: Double?
  /// The time of the file's beginning on the container's own clock, in seconds.
  ///
  /// Pictures, rows and subtitles count from there. Players that show the container's clock show
  /// `start + t` for what is at `t`.
  public var start: Double { Double(startMicroseconds) / 1e6 }
  /// The width of a picture as it is shown, after the file's rotation, in pixels.
  public let width: Int
  /// The height after the same rotation, in pixels.
  public let height: Int
  /// The average number of pictures a second; nil if unknown.
  public let frameRate: Double?
  /// FFmpeg's name of the codec, such as `h264`.
  public let codec: String

  /// ``start`` in microseconds.
  let startMicroseconds: Int64
  let context: UnsafeMutablePointer<AVFormatContext>
  let stream: UnsafeMutablePointer<AVStream>
  let rotation: DisplayRotation

  /// The longest side in pixels: larger than any codec's, but small enough that no product
  /// overflows.
  private static let longestSide = 1 << 15

  /// Opens the file at `path` and reads its headers.
  ///
  /// Throws `DataError` if the file cannot be opened or is no video, or FFmpeg is not installed.
  public init(path: String) throws {
    try FFmpeg.load()
    self.path = path
    let context = try Self.open(path)
    self.context = context
    var closing: UnsafeMutablePointer<AVFormatContext>? = context
    do {
      let stream = try Self.pictures(of: context, path: path)
      self.stream = stream
      let parameters = stream.codecpar
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
    let unit = stream.time_base.value ?? 0
    let (own, whole) = (stream.duration, context.duration)
    let isGuessed = context.duration_estimation_method == AVFMT_DURATION_FROM_BITRATE
    let start = context.start_time == FFmpeg.noTime ? 0 : context.start_time
    duration =
      isGuessed
      ? nil
      : own > 0 && own != FFmpeg.noTime
        ? Double(own) * unit
        : whole > 0 && whole != FFmpeg.noTime
          ? Self.length(of: stream, in: context, whole: Double(whole) / 1e6, start: Double(start) / 1e6) : nil
    startMicroseconds = start
    let rates = [hero_av_average_frame_rate(context, stream), stream.r_frame_rate]
    frameRate = rates.lazy.compactMap(\.value).first { $0 > 0 && $0.isFinite }
  }

  /// Returns the duration of a stream whose container states only that of the longest stream.
  ///
  /// Matroska counts from 0, not from the file's start. It stores each stream's end as a tag.
  private static func length(
    of stream: UnsafeMutablePointer<AVStream>, in context: UnsafeMutablePointer<AVFormatContext>,
    whole: Double, start: Double
  ) -> Double {
    guard let name = context.iformat.name, String(cString: name).contains("matroska") else {
      return whole
    }
    let tag = av_dict_get(stream.metadata, "DURATION", nil, 0).map {
      String(cString: $0.value)
    }
    let fields = (tag ?? "").split(separator: ":").map { Double($0) }
    let end = fields.count == 3 ? fields.reduce(0) { $0 * 60 + ($1 ?? .infinity) } : whole
    let length = min(end > 0 ? end : whole, whole) - max(0, start)
    return length > 0 ? length : whole
  }

  deinit {
    var closing: UnsafeMutablePointer<AVFormatContext>? = context
    avformat_close_input(&closing)
  }

  /// The formats that FFmpeg may detect: containers and raw streams, with sounds for an error of
  /// their own.
  ///
  /// None of them opens other files, as `hls`, `dash`, `concat` and `image2` do. The file's name
  /// does not matter.
  private static let formats = [
    "3dostr,aac,ac3,aiff,amr,apng,asf,au,av1,avi,avs2,avs3,bink,caf,cavsvideo,cdxl,dhav,dirac",
    "dnxhd,dts,dv,dxa,ea,eac3,evc,film_cpk,flac,flic,flv,gif,gxf,h261,h263,h264,hevc,idcin",
    "ipmovie,ivf,ivr,jpeg_pipe,kux,live_flv,lmlm4,m4v,matroska,mjpeg,mjpeg_2000,mov,mp3,mpeg",
    "mpegts,mpegvideo,mv,mvi,mxf,mxg,nsv,nut,nuv,obu,ogg,pmp,psxstr,pva,r3d,rl2,rm,roq,rpl",
    "seqvideo,smjpeg,smk,swf,tak,thp,tiertexseq,tta,ty,vc1,vc1test,vivo,vmd,vvc,w64,wav,wc3movie",
    "webm,wsvqa,wtv,wv,xa,xmv,xwma,yop,yuv4mpegpipe",
  ].joined(separator: ",")

  /// Opens a plain file; no URL within it leads to another file.
  static func open(_ path: String) throws -> UnsafeMutablePointer<AVFormatContext> {
    try PlainFile.size(path)
    var options: OpaquePointer?
    av_dict_set(&options, "protocol_whitelist", "file", 0)
    av_dict_set(&options, "format_whitelist", formats, 0)
    // FFmpeg's program sets this too.
    av_dict_set(&options, "scan_all_pmts", "1", 0)
    defer { av_dict_free(&options) }
    var context: UnsafeMutablePointer<AVFormatContext>?
    let opening = avformat_open_input(&context, "file:" + path, nil, &options)
    if opening == hero_av_error_invalid_argument() {
      throw DataError(
        "is no container of pictures and sounds; a list that names other files is not followed", file: path,
        cure: "Give the files that it names")
    }
    try check(opening, "open the video", path)
    guard let opened = context else { throw DataError("cannot open the video", file: path) }
    let code = avformat_find_stream_info(opened, nil)
    if code < 0 {
      avformat_close_input(&context)
      try check(code, "read the video's streams", path)
    }
    return opened
  }

  /// Throws for an error code, and says what the file's first bytes show it to be instead of
  /// FFmpeg's message.
  private static func check(_ code: Int32, _ action: String, _ path: String) throws {
    do { try FFmpeg.check(code, action, file: path) } catch let error as DataError {
      let head = (try? FileHandle(forReadingAtPath: path)?.read(upToCount: FileKind.headLength)) ?? Data()
      if try PlainFile.size(path) == 0 {
        throw DataError("is empty", file: path, cure: "Make or download it again")
      }
      if head.dropFirst(4).starts(with: "ftyp".utf8) {
        throw DataError(
          "its list of pictures (moov) cannot be read, as of a download or recording that was not finished",
          file: path, cure: "Get it again, whole")
      }
      throw error.naming(FileKind(head: head))
    }
  }

  /// Returns the stream of moving pictures that FFmpeg's program takes, and discards the other
  /// streams.
  ///
  /// The score is a picture's pixels, with a bonus for packets and one for the default mark. Of
  /// equal streams the first wins. Cover pictures do not count.
  private static func pictures(
    of context: UnsafeMutablePointer<AVFormatContext>, path: String
  ) throws -> UnsafeMutablePointer<AVStream> {
    let streams = (0..<Int(context.nb_streams)).compactMap { context.streams[$0] }
    var found: UnsafeMutablePointer<AVStream>?
    var best = -1
    for stream in streams where stream.codecpar.codec_type == AVMEDIA_TYPE_VIDEO {
      guard stream.disposition & AV_DISPOSITION_ATTACHED_PIC == 0 else { continue }
      let parameters = stream.codecpar
      let hasPictures = stream.event_flags & AVSTREAM_EVENT_FLAG_NEW_PACKETS != 0
      let isDefault = stream.disposition & AV_DISPOSITION_DEFAULT != 0
      let size = Int(max(0, parameters.width)).multipliedReportingOverflow(by: Int(max(0, parameters.height)))
      let score =
        min(size.partialValue, 1 << 40) + (hasPictures ? 100_000_000 : 0) + (isDefault ? 5_000_000 : 0)
      if score > best { (found, best) = (stream, score) }
    }
    for stream in streams where stream != found { stream.discard = AVDISCARD_ALL }
    guard let found else { throw DataError("there are no moving pictures in the file", file: path) }
    return found
  }
}
