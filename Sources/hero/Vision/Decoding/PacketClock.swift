import CFFmpeg

/// The times at which packets are decoded and pictures are shown, as FFmpeg's program computes
/// them.
///
/// Times may be missing (raw streams), restart or jump (joined recordings of broadcasts). The clock
/// derives a missing decoding time from the packet before and its duration. In containers whose
/// times may jump (MPEG-TS), a step backwards or of more than 10 s shifts all later times. In other
/// containers it ignores a time more than 30 hours off. Source: `process_input` and
/// `process_input_packet` of FFmpeg 5.1.
struct PacketClock {
  /// The offset added to times so that the file begins at 0, in microseconds.
  private var shift: Int64
  private let unit: AVRational
  private let mayJump: Bool
  /// The duration of a packet that has none of its own, in microseconds; 0 if unknown.
  private let usualDuration: Int64
  /// The expected decoding time of the next packet, in microseconds.
  private var nextDecoding: Int64?
  /// The time at which the next picture is shown, in microseconds.
  private var next: Int64 = 0
  private var lastDuration: Int64 = 0
  private let firstDecoding: Int64

  private static let jump: Int64 = 10_000_000
  private static let nonsense: Int64 = 3600 * 30 * 1_000_000

  /// - Parameter delay: the number of pictures that the decoder holds back.
  init(_ file: VideoFile, delay: Int) {
    self.init(file.stream, in: file.context, start: file.startMicroseconds, delay: delay)
  }

  /// - Parameters:
  ///   - stream: a stream of pictures or sound.
  ///   - start: the time at which the file begins, in microseconds.
  ///   - delay: the number of pictures that the decoder holds back.
  init(
    _ stream: UnsafeMutablePointer<AVStream>, in context: UnsafeMutablePointer<AVFormatContext>, start: Int64,
    delay: Int
  ) {
    unit = stream.time_base
    shift = 0 &- start
    mayJump = context.iformat.flags & AVFMT_TS_DISCONT != 0
    let averageRate = hero_av_average_frame_rate(context, stream)
    let rate = [averageRate, stream.r_frame_rate].lazy.compactMap(\.value)
      .first { $0.isFinite && $0 > 1e-3 }
    usualDuration = rate.map { Int64((1e6 / $0).rounded()) } ?? 0
    let average = averageRate.value ?? 0
    firstDecoding =
      average > 1e-3 && average.isFinite ? 0 &- Int64(Double(max(0, min(delay, 64))) * 1e6 / average) : 0
  }

  /// Forgets the expected decoding time, after a seek.
  mutating func begin() { nextDecoding = nil }

  private func microseconds(_ time: Int64) -> Int64 { av_rescale_q(time, unit, hero_av_microseconds()) }
  private func own(_ time: Int64) -> Int64 { av_rescale_q(time, hero_av_microseconds(), unit) }

  /// Sets a packet's times, in the stream's unit, counted from the file's beginning.
  mutating func set(_ packet: UnsafeMutablePointer<AVPacket>) {
    let none = FFmpeg.noTime
    func moved(_ time: Int64, by microseconds: Int64) -> Int64 {
      time == none ? none : time &+ own(microseconds)
    }
    packet.dts = moved(packet.dts, by: shift)
    packet.pts = moved(packet.pts, by: shift)
    if packet.dts != none {
      let time = microseconds(packet.dts)
      if mayJump {
        // A jump is too large a step from the expected time. A packet without one, such as the
        // first, never jumps.
        if let delta = jump(to: time) {
          shift &-= delta
          packet.dts = moved(packet.dts, by: 0 &- delta)
          packet.pts = moved(packet.pts, by: 0 &- delta)
        }
      } else if let expected = nextDecoding {
        if (time &- expected).magnitude > UInt64(Self.nonsense) { packet.dts = none }
        if packet.pts != none,
          (microseconds(packet.pts) &- expected).magnitude > UInt64(Self.nonsense)
        {
          packet.pts = none
        }
      }
    }
    let time = packet.dts == none ? nextDecoding ?? firstDecoding : microseconds(packet.dts)
    packet.dts = own(time)
    lastDuration = packet.duration > 0 ? microseconds(packet.duration) : usualDuration
    nextDecoding = time &+ lastDuration
  }

  /// Returns how far a time is from the expected one if that is a jump, else nil.
  private func jump(to time: Int64) -> Int64? {
    guard let expected = nextDecoding else { return nil }
    let delta = time &- expected
    let isBack = time &+ 100_000 < max(next, expected)
    return delta.magnitude > UInt64(Self.jump) || isBack ? delta : nil
  }

  /// Sets a picture's time, and records when the picture ends.
  mutating func show(_ frame: UnsafeMutablePointer<AVFrame>) {
    let guess = frame.best_effort_timestamp
    let shown = guess == FFmpeg.noTime ? next : microseconds(guess)
    frame.pts = guess == FFmpeg.noTime ? own(next) : guess
    let duration = hero_av_duration(frame)
    next = shown &+ (duration > 0 ? microseconds(duration) : lastDuration)
  }

  /// The time at which the last picture ends, in the stream's unit.
  var end: Int64 { own(next) }
}
