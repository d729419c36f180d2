import CFFmpeg

extension VideoFile {
  /// The duration that decides how often a short video is sampled. nil where the container says
  /// that the video is hardly longer than an interval, but its packets last longer than that and
  /// than it says.
  ///
  /// Reads the file's beginning a second time, as far as an interval, and only for so short a
  /// duration.
  func checkedDuration(from interval: FrameInterval) throws -> Double? {
    guard let duration, duration < interval.seconds + 0.1 else { return duration }
    let file = try VideoFile(path: path)
    var clock = PacketClock(file, delay: 0)
    var packet = av_packet_alloc()
    defer { av_packet_free(&packet) }
    let unit = file.stream.time_base.value ?? 0
    let limit = max(interval.seconds + 0.1, duration + 0.5)
    while let packet, av_read_frame(file.context, packet) >= 0 {
      defer { av_packet_unref(packet) }
      guard packet.stream_index == file.stream.index else { continue }
      clock.set(packet)
      if Double(packet.dts) * unit > limit { return nil }
    }
    return duration
  }
}
