import Corpus

/// The frames of a clip: ⌊start/Δ⌋ up to but without end/Δ rounded half to even, at least one, within the video.
///
/// - Parameter span: nil for the whole video.
/// - Returns: nil where the clip starts after the video's last frame.
func clipFrames(_ span: TimeSpan?, frames: Int, interval: Double) -> Range<Int>? {
  guard let span else { return frames > 0 ? 0..<frames : nil }
  // Clamped before the conversion: a file may hold any number.
  let limit = Double(frames)
  func frame(_ seconds: Double, _ rounding: FloatingPointRoundingRule) -> Int {
    let place = (seconds / interval).rounded(rounding)
    return place.isNaN ? 0 : Int(max(0, min(limit, place)))
  }
  let start = min(frame(span.start, .down), frames)
  let end = min(max(frame(span.end, .toNearestOrEven), start + 1), frames)
  return start < end ? start..<end : nil
}
