import CFFmpeg

extension VideoFile {
  /// Seconds: the time of the file's first picture, as its container says; 0 where it does not.
  ///
  /// Pictures are counted from the first one. Players count from the beginning of the container's times, so that the
  /// picture at `t` is shown at `startTime + t`.
  public var startTime: Double {
    let (own, whole) = (stream.pointee.start_time, context.pointee.start_time)
    if own != FFmpeg.noTime { return Double(own) * (stream.pointee.time_base.value ?? 0) }
    return whole != FFmpeg.noTime ? Double(whole) / 1e6 : 0
  }
}
