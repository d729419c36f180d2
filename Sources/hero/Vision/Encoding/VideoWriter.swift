import CFFmpeg
import Formats
import Foundation

/// A writer of H.264 video in MP4, which every browser plays, from pictures that a program draws.
///
/// The file gets its name once it is finished. Use the writer from one thread at a time.
public final class VideoWriter {
  private let path: String
  private let temporary: String
  private var container: UnsafeMutablePointer<AVFormatContext>?
  private var codec: UnsafeMutablePointer<AVCodecContext>?
  private var frame: UnsafeMutablePointer<AVFrame>?
  private var packet: UnsafeMutablePointer<AVPacket>?
  private let width: Int
  private let height: Int
  private var count: Int64 = 0

  /// - Parameters:
  ///   - width: pixels, an even number, as is `height`.
  ///   - frameRate: pictures a second.
  ///
  /// Throws `DataError` if the file cannot be written, or FFmpeg is not installed or lacks an H.264
  /// encoder.
  public init(path: String, width: Int, height: Int, frameRate: Int) throws {
    precondition(width % 2 == 0 && height % 2 == 0, "H.264 halves the sides of its colours")
    (self.path, self.width, self.height) = (path, width, height)
    temporary = "\(path).\(getpid()).part"
    try FFmpeg.load()
    guard let encoder = avcodec_find_encoder(AV_CODEC_ID_H264) else {
      throw DataError("the installed FFmpeg writes no H.264", file: path, cure: "Install libx264 with FFmpeg")
    }
    do {
      try open(encoder, frameRate: frameRate)
    } catch {
      close()
      throw error
    }
  }

  deinit { close() }

  private func open(_ encoder: UnsafePointer<AVCodec>, frameRate: Int) throws {
    try FFmpeg.check(
      avformat_alloc_output_context2(&container, nil, "mp4", nil), "write a video", file: path)
    codec = avcodec_alloc_context3(encoder)
    frame = av_frame_alloc()
    packet = av_packet_alloc()
    guard let container, let codec, let frame, packet != nil, let stream = avformat_new_stream(container, nil)
    else { throw DataError("out of memory", file: path) }
    codec.width = Int32(width)
    codec.height = Int32(height)
    codec.pix_fmt = AV_PIX_FMT_YUV420P
    codec.time_base = AVRational(num: 1, den: Int32(frameRate))
    // A key picture every 4 seconds lets a player seek quickly.
    codec.gop_size = Int32(4 * frameRate)
    codec.thread_count = 1
    codec.flags |= Int32(AV_CODEC_FLAG_GLOBAL_HEADER)
    var options: OpaquePointer?
    av_dict_set(&options, "preset", "ultrafast", 0)
    av_dict_set(&options, "crf", "30", 0)
    defer { av_dict_free(&options) }
    try FFmpeg.check(avcodec_open2(codec, encoder, &options), "open the encoder of H.264", file: path)
    stream.time_base = codec.time_base
    stream.avg_frame_rate = AVRational(num: Int32(frameRate), den: 1)
    try FFmpeg.check(
      avcodec_parameters_from_context(stream.codecpar, codec), "write a video", file: path)
    try FFmpeg.check(
      avio_open(&container.pb, "file:" + temporary, AVIO_FLAG_WRITE), "write", file: path)
    try FFmpeg.check(avformat_write_header(container, nil), "write", file: path)
    frame.format = AV_PIX_FMT_YUV420P.rawValue
    frame.width = Int32(width)
    frame.height = Int32(height)
    try FFmpeg.check(av_frame_get_buffer(frame, 0), "make a picture", file: path)
  }

  /// Adds a picture.
  ///
  /// - Parameter picture: red, green and blue of every pixel, row by row.
  public func write(_ picture: [UInt8]) throws {
    precondition(picture.count == 3 * width * height, "the picture has another size")
    guard let codec, let frame else { throw DataError("the file is finished already", file: path) }
    try FFmpeg.check(av_frame_make_writable(frame), "make a picture", file: path)
    fill(frame, with: picture)
    frame.pts = count
    count += 1
    try FFmpeg.check(avcodec_send_frame(codec, frame), "encode", file: path)
    try drain()
  }

  /// Converts to luma Y = 16 + 65.5 R + 128.6 G + 25.0 B, of colours in 0 … 1, and to two chromas.
  ///
  /// The chroma of a 2 × 2 block is that of its first pixel (ITU-R BT.601).
  private func fill(_ frame: UnsafeMutablePointer<AVFrame>, with picture: [UInt8]) {
    guard let luma = frame.data[0], let blue = frame.data[1], let red = frame.data[2]
    else { return }
    let strides = (
      Int(frame.linesize[0]), Int(frame.linesize[1]), Int(frame.linesize[2])
    )
    for y in 0..<height {
      for x in 0..<width {
        let place = 3 * (y * width + x)
        let (r, g, b) = (Int(picture[place]), Int(picture[place + 1]), Int(picture[place + 2]))
        luma[y * strides.0 + x] = UInt8((66 * r + 129 * g + 25 * b + 128) >> 8 + 16)
        guard y % 2 == 0, x % 2 == 0 else { continue }
        blue[y / 2 * strides.1 + x / 2] = UInt8((-38 * r - 74 * g + 112 * b + 128) >> 8 + 128)
        red[y / 2 * strides.2 + x / 2] = UInt8((112 * r - 94 * g - 18 * b + 128) >> 8 + 128)
      }
    }
  }

  /// Finishes the video, and gives the file its name.
  public func finish() throws {
    guard let container, let codec else { throw DataError("the file is finished already", file: path) }
    try FFmpeg.check(avcodec_send_frame(codec, nil), "encode", file: path)
    try drain()
    try FFmpeg.check(av_write_trailer(container), "write", file: path)
    try FFmpeg.check(avio_closep(&container.pb), "write", file: path)
    guard rename(temporary, path) == 0 else { throw DataError.system("write", file: path) }
    close()
  }

  /// Writes the packets that the encoder has ready.
  private func drain() throws {
    guard let container, let codec, let packet, let stream = container.streams[0] else { return }
    while true {
      let code = avcodec_receive_packet(codec, packet)
      if code == hero_av_error_again() || code == hero_av_error_end_of_file() { return }
      try FFmpeg.check(code, "encode", file: path)
      packet.stream_index = 0
      packet.duration = 1
      av_packet_rescale_ts(packet, codec.time_base, stream.time_base)
      try FFmpeg.check(av_interleaved_write_frame(container, packet), "write", file: path)
    }
  }

  private func close() {
    if let container, container.pb != nil {
      avio_closep(&container.pb)
      unlink(temporary)
    }
    avformat_free_context(container)
    container = nil
    avcodec_free_context(&codec)
    av_frame_free(&frame)
    av_packet_free(&packet)
  }
}
