/// The choice of the pictures of a clip that SlowFast sees.
enum ClipSampling {
  /// Returns the places of `frames` pictures in a clip of `length` pictures.
  ///
  /// The places spread evenly over 0 … 64·f/30 − 1, with f the video's frame rate rounded down.
  /// Then they are clamped to the clip and truncated. 64 is the span of 32 frames with a step of 2.
  /// Pictures come at 30 a second whatever f is, so SlowFast sees a shorter time of a video with a
  /// lower f. The published features were made that way.
  static func places(length: Int, frames: Int, frameRate: Double) -> [Int] {
    let end = Float(Double(2 * frames) * frameRate.rounded(.down) / Double(FrameInterval.clipRate) - 1)
    return spread(from: 0, to: end, count: frames).map { Int(min(max($0, 0), Float(length - 1))) }
  }

  /// Returns `count` evenly spaced numbers from `start` to `end`.
  ///
  /// It computes in float32 and from both ends, as PyTorch's `linspace` does.
  static func spread(from start: Float, to end: Float, count: Int) -> [Float] {
    guard count > 1 else { return [start] }
    let step = (end - start) / Float(count - 1)
    return (0..<count).map { (place: Int) -> Float in
      if place < count / 2 { return start + step * Float(place) }
      return end - step * Float(count - 1 - place)
    }
  }
}
