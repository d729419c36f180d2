import CFFmpeg
import Formats

/// A decoder of a video's pictures, one after the other, without scaling or rotation.
///
/// It skips what cannot be decoded, as FFmpeg's program does. The file ends where reading fails.
final class FrameDecoder {
  private let file: VideoFile
  private var codec: UnsafeMutablePointer<AVCodecContext>?
  private var packet: UnsafeMutablePointer<AVPacket>?
  private var frame: UnsafeMutablePointer<AVFrame>?
  private var isDraining = false
  private var clock: PacketClock
  private var hasPicture = false
  /// The number of packets and pictures that could not be read or decoded.
  private(set) var damages = 0
  /// The time at which the last picture ends, in the stream's unit; `FFmpeg.noTime` if there was
  /// none.
  var end: Int64 { hasPicture ? clock.end : FFmpeg.noTime }

  /// The number of errors in a row, without a picture, after which the decoder gives up.
  private static let patience = 10_000

  /// - Throws: `DataError` if there is no decoder for the video's codec.
  init(_ file: VideoFile, threads: Int) throws {
    self.file = file
    let stream = file.stream
    clock = PacketClock(file, delay: Int(stream.codecpar.video_delay))
    guard let decoder = avcodec_find_decoder(stream.codecpar.codec_id) else {
      throw DataError(
        "the installed FFmpeg has no decoder for \(file.codec)", file: file.path,
        cure: "Convert the video to H.264")
    }
    codec = avcodec_alloc_context3(decoder)
    (packet, frame) = (av_packet_alloc(), av_frame_alloc())
    guard let codec, packet != nil, frame != nil else { throw DataError("out of memory", file: file.path) }
    try FFmpeg.check(
      avcodec_parameters_to_context(codec, stream.codecpar), "prepare the decoder", file: file.path)
    codec.pkt_timebase = stream.time_base
    codec.framerate = hero_av_average_frame_rate(file.context, stream)
    codec.thread_count = Int32(threads)
    try FFmpeg.check(avcodec_open2(codec, decoder, nil), "open the decoder of \(file.codec)", file: file.path)
  }

  deinit {
    avcodec_free_context(&codec)
    av_packet_free(&packet)
    av_frame_free(&frame)
  }

  /// Returns the next picture, or nil at the end.
  ///
  /// The picture is valid until the next call. Its `pts` is in the stream's unit.
  func next() throws -> UnsafeMutablePointer<AVFrame>? {
    guard let frame else { return nil }
    var errors = 0
    while errors < Self.patience {
      let code = avcodec_receive_frame(codec, frame)
      if code == 0 {
        clock.show(frame)
        hasPicture = true
        return frame
      }
      if code == hero_av_error_end_of_file() { return nil }
      if code != hero_av_error_again() {
        damages += 1
        errors += 1
      }
      if !isDraining { errors += try feed() ? 0 : 1 }
    }
    return nil
  }

  /// Continues reading at the last key picture before `time`, in seconds from the file's beginning.
  func seek(to time: Double) {
    file.seek(to: time)
    clock.begin()
  }

  /// Sends the stream's next packet to the decoder, and returns false if that failed.
  ///
  /// - Throws: `DataError` for an encrypted packet (ISO 23001-7). Without its key it is noise,
  ///   which decoders turn into pictures too.
  private func feed() throws -> Bool {
    guard let packet else { return false }
    while true {
      let code = av_read_frame(file.context, packet)
      if code < 0 {
        if code != hero_av_error_end_of_file() { damages += 1 }
        isDraining = true
        avcodec_send_packet(codec, nil)
        return true
      }
      defer { av_packet_unref(packet) }
      guard packet.stream_index == file.stream.index else { continue }
      guard !isEncrypted(packet) else {
        throw DataError(
          "is encrypted, as services that sell or lend films do it", file: file.path,
          cure: "Take a file without copy protection")
      }
      clock.set(packet)
      guard avcodec_send_packet(codec, packet) >= 0 else {
        damages += 1
        return false
      }
      return true
    }
  }

  private func isEncrypted(_ packet: UnsafeMutablePointer<AVPacket>) -> Bool {
    (0..<Int(max(0, packet.side_data_elems))).contains {
      packet.side_data?[$0].type == AV_PKT_DATA_ENCRYPTION_INFO
    }
  }
}
