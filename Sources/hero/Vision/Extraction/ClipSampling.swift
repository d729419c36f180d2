/// Which pictures of a clip SlowFast sees.
enum ClipSampling {
  /// Of a clip of `length` pictures, `frames` places: spread evenly over 0 … 64·f/30 − 1, with f
  /// the video's own rate rounded down, then clamped to the clip and cut to whole numbers.
  ///
  /// 64 are the pictures that 32 frames with a step of 2 span. Pictures come at 30 a second
  /// whatever f is, so a video of fewer is seen for a shorter time: the published features were
  /// made that way.
  static func places(length: Int, frames: Int, frameRate: Double) -> [Int] {
    let end = Float(Double(2 * frames) * frameRate.rounded(.down) / Double(FrameInterval.clipRate) - 1)
    return spread(from: 0, to: end, count: frames).map { Int(min(max($0, 0), Float(length - 1))) }
  }

  /// `count` numbers from `start` to `end`, evenly spread, in float32 and from both ends as
  /// PyTorch's `linspace` does.
  static func spread(from start: Float, to end: Float, count: Int) -> [Float] {
    guard count > 1 else { return [start] }
    let step = (end - start) / Float(count - 1)
    return (0..<count).map { (place: Int) -> Float in
      if place < count / 2 { return start + step * Float(place) }
      return end - step * Float(count - 1 - place)
    }
  }
}
