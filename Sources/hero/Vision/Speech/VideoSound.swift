import CFFmpeg
import Formats

/// The sound of a video as speech recognizers take it: mono, 16,000 samples a second, 16 bits.
///
/// Time counts from the file's beginning, as for pictures and subtitles. Silence fills the time
/// before the sound and its gaps. `PacketClock` corrects missing and restarting times, as for
/// pictures.
public final class VideoSound {
  /// The number of samples a second.
  static let rate = 16_000

  private let path: String
  private let context: UnsafeMutablePointer<AVFormatContext>
  private let stream: UnsafeMutablePointer<AVStream>
  private var codec: UnsafeMutablePointer<AVCodecContext>?
  private var packet: UnsafeMutablePointer<AVPacket>?
  private var frame: UnsafeMutablePointer<AVFrame>?
  private var clock: PacketClock
  private var filter: SpeechFilter?
  /// The number of samples so far, without the filters' delay.
  private var count = 0.0

  /// The error of times that counts as neither gap nor overlap, in seconds.
  private static let tolerance = 0.1
  /// The longest silence that is filled in, in seconds.
  private static let longestGap = 3600.0
  /// The longest sound in seconds: a WAV file counts its bytes in 32 bits.
  private static let longest = 36 * 3600.0

  /// Opens the default sound, else the first one.
  ///
  /// - Returns: nil if the installed FFmpeg decodes none.
  /// - Throws: `DataError` if the file cannot be opened.
  public init?(path: String) throws {
    try FFmpeg.load()
    self.path = path
    let context = try VideoFile.open(path)
    self.context = context
    let sounds = (0..<Int(context.nb_streams)).compactMap { context.streams[$0] }.filter {
      let parameters = $0.codecpar
      return parameters.codec_type == AVMEDIA_TYPE_AUDIO && avcodec_find_decoder(parameters.codec_id) != nil
    }
    let usual = sounds.first { $0.disposition & AV_DISPOSITION_DEFAULT != 0 }
    guard let stream = usual ?? sounds.first else {
      var closing: UnsafeMutablePointer<AVFormatContext>? = context
      avformat_close_input(&closing)
      return nil
    }
    self.stream = stream
    let start = context.start_time
    clock = PacketClock(stream, in: context, start: start == FFmpeg.noTime ? 0 : start, delay: 0)
    for number in 0..<Int(context.nb_streams) {
      if let other = context.streams[number], other != stream {
        other.discard = AVDISCARD_ALL
      }
    }
    let decoder = avcodec_find_decoder(stream.codecpar.codec_id)
    codec = avcodec_alloc_context3(decoder)
    (packet, frame) = (av_packet_alloc(), av_frame_alloc())
    guard let codec, packet != nil, frame != nil else { throw DataError("out of memory", file: path) }
    try FFmpeg.check(
      avcodec_parameters_to_context(codec, stream.codecpar), "prepare the sound's decoder", file: path
    )
    codec.pkt_timebase = stream.time_base
    try FFmpeg.check(avcodec_open2(codec, decoder, nil), "open the sound's decoder", file: path)
  }

  deinit {
    avcodec_free_context(&codec)
    av_packet_free(&packet)
    av_frame_free(&frame)
    var closing: UnsafeMutablePointer<AVFormatContext>? = context
    avformat_close_input(&closing)
  }

  /// Writes the sound as a WAV file, and skips damaged parts. Call it once.
  ///
  /// - Parameter check: is called often; an error that it throws ends the work, and leaves no file.
  /// - Returns: the length of the sound in seconds.
  /// - Throws: `DataError` if the times jump by hours, or the sound is longer than 36 hours.
  public func write(to wave: String, check: () throws -> Void = {}) throws -> Double {
    let file = try AtomicFile(path: wave)
    try file.write(Self.header(bytes: 0))
    var bytes = 0
    func put(_ samples: [UInt8]) throws {
      bytes += samples.count
      guard bytes <= 2 * Self.rate * Int(Self.longest) else {
        throw DataError("its sound has more than 36 hours", file: path, cure: "Cut the video")
      }
      try file.write(samples)
    }
    while let packet, av_read_frame(context, packet) >= 0 {
      defer { av_packet_unref(packet) }
      guard packet.stream_index == stream.index else { continue }
      try check()
      clock.set(packet)
      guard avcodec_send_packet(codec, packet) >= 0 else { continue }
      try decode(put)
    }
    avcodec_send_packet(codec, nil)
    try decode(put)
    try endFilter(put)
    try file.overwrite(Self.header(bytes: bytes), at: 0)
    try file.commit()
    return Double(bytes) / Double(2 * Self.rate)
  }

  /// Writes the frames that the decoder has ready.
  private func decode(_ put: ([UInt8]) throws -> Void) throws {
    while let frame, avcodec_receive_frame(codec, frame) == 0 {
      defer { av_frame_unref(frame) }
      guard frame.sample_rate > 0, frame.nb_samples > 0 else { continue }
      clock.show(frame)
      let length = Double(frame.nb_samples) / Double(frame.sample_rate)
      let unit = stream.time_base.value ?? 0
      let ahead = Double(frame.pts) * unit - count / Double(Self.rate)
      guard ahead < Self.longestGap else {
        throw DataError("the times of its sound jump by hours", file: path)
      }
      // Skip a frame that overlaps the sound so far.
      if ahead < -max(Self.tolerance, length) { continue }
      if ahead > Self.tolerance {
        try endFilter(put)
        let silent = Int(ahead * Double(Self.rate))
        try put([UInt8](repeating: 0, count: 2 * silent))
        count += Double(silent)
      }
      if filter?.accepts(frame) == false { try endFilter(put) }
      let filter = try self.filter ?? SpeechFilter(like: frame, path: path)
      self.filter = filter
      frame.pts = FFmpeg.noTime
      try filter.push(frame)
      count += length * Double(Self.rate)
      try put(try filter.pull())
    }
  }

  private func endFilter(_ put: ([UInt8]) throws -> Void) throws {
    guard let filter else { return }
    self.filter = nil
    try filter.push(nil)
    try put(try filter.pull())
  }

  /// Returns a WAV file of silence.
  static func silence(seconds: Int) -> [UInt8] {
    let samples = [UInt8](repeating: 0, count: 2 * rate * seconds)
    return header(bytes: samples.count) + samples
  }

  /// Returns the header of a WAV file of PCM.
  private static func header(bytes: Int) -> [UInt8] {
    func number(_ value: Int, _ size: Int) -> [UInt8] {
      (0..<size).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }
    return Array("RIFF".utf8) + number(36 + bytes, 4) + Array("WAVEfmt ".utf8) + number(16, 4) + number(1, 2)
      + number(1, 2) + number(rate, 4) + number(2 * rate, 4) + number(2, 2) + number(16, 2)
      + Array("data".utf8) + number(bytes, 4)
  }
}
