import CFFmpeg
import Formats
import Foundation

/// The file that receives the copied packets.
final class CutSink {
  private let path: String
  private var container: UnsafeMutablePointer<AVFormatContext>?
  /// The last decoding time of each stream, in the stream's unit. Decoding times only grow.
  private var last: [Int64]
  /// The bytes of the packets written so far.
  private(set) var bytes = 0

  init(_ source: CutSource, path: String) throws {
    self.path = path
    last = source.parts.map { _ in .min }
    do {
      try open(source)
    } catch {
      close()
      throw error
    }
  }

  deinit { close() }

  private func open(_ source: CutSource) throws {
    try FFmpeg.check(
      avformat_alloc_output_context2(&container, nil, source.ending == "mp4" ? "mp4" : "matroska", nil),
      "write a video", file: path)
    guard let container else { throw DataError("out of memory", file: path) }
    for part in source.parts {
      guard let stream = avformat_new_stream(container, nil) else {
        throw DataError("out of memory", file: path)
      }
      try FFmpeg.check(
        avcodec_parameters_copy(stream.codecpar, part.stream.codecpar), "write a video",
        file: path)
      // The tag belongs to the source's container.
      stream.codecpar.codec_tag = 0
      stream.time_base = part.stream.time_base
      stream.avg_frame_rate = hero_av_average_frame_rate(source.video.context, part.stream)
      stream.sample_aspect_ratio = part.stream.sample_aspect_ratio
      stream.disposition = part.stream.disposition
      try FFmpeg.check(hero_av_copy_display_matrix(stream, part.stream), "write a video", file: path)
    }
    try FFmpeg.check(
      avio_open(&container.pb, "file:" + path, AVIO_FLAG_WRITE), "write", file: path)
    try FFmpeg.check(avformat_write_header(container, nil), "write", file: path)
  }

  /// Writes a packet to the stream `number`.
  ///
  /// - Parameters:
  ///   - packet: its times count from the video's beginning.
  ///   - unit: the unit of the packet's times.
  ///   - origin: the time in the video that becomes 0, in seconds.
  func write(
    _ packet: UnsafeMutablePointer<AVPacket>, of number: Int, from unit: AVRational, origin: Double
  ) throws {
    guard let container, let stream = container.streams[number] else { return }
    let shift = Int64((origin / (unit.value ?? 1)).rounded())
    packet.pts = packet.pts &- shift
    packet.dts = packet.dts &- shift
    packet.stream_index = Int32(number)
    packet.pos = -1
    av_packet_rescale_ts(packet, unit, stream.time_base)
    if packet.dts <= last[number] { packet.dts = last[number] &+ 1 }
    packet.pts = max(packet.pts, packet.dts)
    last[number] = packet.dts
    bytes += Int(packet.size)
    try FFmpeg.check(av_interleaved_write_frame(container, packet), "write", file: path)
  }

  /// Finishes the file.
  ///
  /// - Returns: the size of the file in bytes.
  func finish() throws -> Int {
    guard let container else { return 0 }
    try FFmpeg.check(av_write_trailer(container), "write", file: path)
    try FFmpeg.check(avio_closep(&container.pb), "write", file: path)
    close()
    return try PlainFile.size(path)
  }

  private func close() {
    guard let container else { return }
    if container.pb != nil { avio_closep(&container.pb) }
    avformat_free_context(container)
    self.container = nil
  }
}
