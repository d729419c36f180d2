import CFFmpeg

extension VideoFile {
  /// Returns the duration that decides how often a short video is sampled.
  ///
  /// It is nil if the container states hardly more than an interval, but the packets last longer
  /// than that and than stated. For so short a duration it reads the file's beginning a second
  /// time, as far as an interval.
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
