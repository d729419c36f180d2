import CFFmpeg
import Formats
import Foundation

/// A video file whose pictures and sounds are read packet by packet, from any place on.
final class CutSource {
  /// A stream that is copied.
  struct Part {
    var stream: UnsafeMutablePointer<AVStream>
    var clock: PacketClock
    /// Whether the stream has reached the moment's end.
    var isDone = false
  }

  let path: String
  let ending: String
  private(set) var parts: [Part]
  let video: VideoFile

  /// The most sounds that are copied, such as the languages of a film.
  private static let mostSounds = 8
  /// The most seconds by which sounds lag behind the pictures in a file.
  private static let lag = 10.0
  /// The tolerance for rounded packet times, in seconds.
  private static let rounding = 0.002

  init(_ path: String) throws {
    self.path = path
    video = try VideoFile(path: path)
    let context = video.context
    let sounds = (0..<Int(context.nb_streams)).compactMap { context.streams[$0] }.filter {
      $0.codecpar.codec_type == AVMEDIA_TYPE_AUDIO
    }.prefix(Self.mostSounds)
    let streams = [video.stream] + sounds
    let holds = { (container: String) in
      streams.map { hero_av_container_holds(container, $0.codecpar.codec_id) }
    }
    let inMP4 = holds("mp4")
    ending = inMP4.allSatisfy { $0 } ? "mp4" : "mkv"
    let kept = zip(streams, ending == "mp4" ? inMP4 : holds("matroska")).filter(\.1).map(\.0)
    guard kept.first == video.stream else {
      throw DataError(
        "no container that is written here holds \(video.codec)", file: path,
        cure: "Convert the video to H.264")
    }
    let start = video.startMicroseconds
    parts = kept.map { stream in
      stream.discard = AVDISCARD_DEFAULT
      let isPictures = stream.codecpar.codec_type == AVMEDIA_TYPE_VIDEO
      return Part(
        stream: stream,
        clock: PacketClock(
          stream, in: context, start: start,
          delay: isPictures ? Int(stream.codecpar.video_delay) : 0))
    }
  }

  /// Copies a moment's packets, from the key picture before it on.
  ///
  /// - Parameters:
  ///   - place: the time at which reading starts, in seconds; nil for the file's beginning.
  ///   - first: the time at which that key picture is shown, if known; nil takes the first one
  ///     read.
  ///   - deadline: the time at which the copy fails as too slow.
  /// - Returns: the key picture's time in the video, in seconds. It is nil, with nothing copied, if
  ///   reading meets no key picture at or before the moment's beginning.
  func copy(
    from start: Double, to end: Double, entering place: Double?, first: Double? = nil, into sink: CutSink,
    limits: VideoCut.Limits,
    deadline: ContinuousClock.Instant, check: () throws -> Void
  ) throws -> Double? {
    enter(place)
    var packet = av_packet_alloc()
    defer { av_packet_free(&packet) }
    guard let packet else { throw DataError("out of memory", file: path) }
    // Sounds count from the moment where players start there, else from the key picture.
    let isShown = ending == "mp4"
    var key: Double?
    /// The decoding time of the last picture read, and the end of the pictures shown so far.
    var (pictures, covered) = (-Double.infinity, -Double.infinity)
    while parts.contains(where: { !$0.isDone }) {
      try check()
      try require(deadline, limits)
      guard av_read_frame(video.context, packet) >= 0 else { break }
      defer { av_packet_unref(packet) }
      guard let number = parts.firstIndex(where: { $0.stream.index == packet.stream_index })
      else { continue }
      parts[number].clock.set(packet)
      let unit = parts[number].stream.time_base.value ?? 0
      try fillTime(of: packet, parts[number].stream)
      let (decoded, shown) = (Double(packet.dts) * unit, Double(packet.pts) * unit)
      if number == 0 {
        pictures = decoded
        if decoded >= end { parts[0].isDone = true }
        if key == nil, packet.flags & AV_PKT_FLAG_KEY != 0,
          first.map({ shown >= $0 - Self.rounding }) ?? true
        {
          // The pictures between are missing: reading did not start where the file's times say.
          guard shown <= start + Self.rounding || first != nil else { return nil }
          key = shown
        }
        if key != nil, !parts[0].isDone {
          covered = max(covered, shown + max(Double(packet.duration) * unit, Self.rounding))
        }
      } else if decoded >= end || pictures > end + Self.lag {
        parts[number].isDone = true
      }
      guard !parts[number].isDone, let key else { continue }
      if number > 0, shown + Double(packet.duration) * unit <= (isShown ? max(start, key) : key) {
        continue
      }
      guard sink.bytes + Int(packet.size) <= limits.bytes else {
        throw DataError(
          "the moment has more than \(limits.bytes >> 20) MB", file: path, cure: "Cut a shorter moment")
      }
      try sink.write(packet, of: number, from: parts[number].stream.time_base, origin: start)
    }
    guard let key else { return nil }
    guard covered > start else {
      throw DataError("its pictures end before \(start) s", file: path, cure: "Cut an earlier moment")
    }
    return key
  }

  /// Returns when the last key picture at or before a moment's beginning is shown.
  ///
  /// It reads all pictures on the way. In containers without an index, such as MPEG-TS, a seek may
  /// lead to any picture.
  ///
  /// - Parameter place: the time at which reading starts, in seconds; nil for the file's beginning.
  /// - Returns: nil if there is none. From the file's beginning on, the first key picture within
  ///   the moment will do.
  func key(
    before start: Double, end: Double, entering place: Double?, limits: VideoCut.Limits,
    deadline: ContinuousClock.Instant,
    check: () throws -> Void
  ) throws -> Double? {
    var packet = av_packet_alloc()
    defer { av_packet_free(&packet) }
    guard let packet else { throw DataError("out of memory", file: path) }
    enter(place)
    var found: Double?
    while av_read_frame(video.context, packet) >= 0 {
      defer { av_packet_unref(packet) }
      try check()
      try require(deadline, limits)
      guard packet.stream_index == parts[0].stream.index else { continue }
      parts[0].clock.set(packet)
      try fillTime(of: packet, parts[0].stream)
      let unit = parts[0].stream.time_base.value ?? 0
      if Double(packet.dts) * unit >= end { break }
      guard packet.flags & AV_PKT_FLAG_KEY != 0 else { continue }
      let shown = Double(packet.pts) * unit
      if shown > start + Self.rounding, found != nil || place != nil { break }
      found = shown
    }
    return found
  }

  private func enter(_ place: Double?) {
    guard let place else { return }
    video.seek(to: place)
    for number in parts.indices { parts[number].clock.begin() }
  }

  private func require(_ deadline: ContinuousClock.Instant, _ limits: VideoCut.Limits) throws {
    guard ContinuousClock.now >= deadline else { return }
    throw DataError(
      "cutting takes more than \(Int(limits.time)) s", file: path, cure: "Cut a shorter moment")
  }

  /// Sets the time at which a picture is shown if its container states none.
  private func fillTime(
    of packet: UnsafeMutablePointer<AVPacket>, _ stream: UnsafeMutablePointer<AVStream>
  ) throws {
    guard packet.pts == FFmpeg.noTime else { return }
    guard stream.codecpar.video_delay == 0 else {
      throw DataError(
        "its container does not say when pictures are shown, so that nothing can be cut out without coding it anew",
        file: path,
        cure: "Bring it into another container first: ffmpeg -fflags +genpts -i FILE -c copy FILE.mkv")
    }
    packet.pts = packet.dts
  }
}

extension VideoFile {
  /// Continues reading at the last key picture before `time`, in seconds from the file's beginning.
  func seek(to time: Double) {
    let unit = stream.time_base.value ?? 0
    // Streams without times are read from their beginning.
    guard context.iformat.flags & AVFMT_NOTIMESTAMPS == 0, unit > 0, time.isFinite,
      let wanted = Int64(exactly: (time / unit).rounded(.down))
    else { return }
    let start = av_rescale_q(startMicroseconds, hero_av_microseconds(), stream.time_base)
    let (place, overflow) = wanted.addingReportingOverflow(start)
    if !overflow { _ = avformat_seek_file(context, stream.index, .min, place, place, 0) }
  }
}
