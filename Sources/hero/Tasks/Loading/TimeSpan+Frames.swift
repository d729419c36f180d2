import Corpus
import Formats
import Model

/// Conversion from seconds to frames (Docs/Computation.md §1, §3).
extension TimeSpan {
  /// Returns the first and last frame of a target moment: ⌊start/Δ⌋ and ⌈end/Δ⌉ − 1.
  ///
  /// Both lie in the video. The last is at least one frame after the first, if the video has one.
  func target(frames: Int, interval: Double) -> FrameSpan {
    let first = min(Self.frame(start, interval, .down, limit: frames), frames - 1)
    let last = Self.frame(end, interval, .up, limit: frames) - 1
    return FrameSpan(start: first, end: min(max(last, first + 1), frames - 1))
  }

  /// Does the same, with a notice for a moment that begins after its video ends.
  func target(
    of item: String, in store: String, within video: VideoItem, interval: Double
  ) -> FrameSpan {
    let frames = video.frameCount
    if start >= Double(frames) * interval {
      Notice.tell(
        "\(store), \(item): its moment begins at \(start) s, after the last of the \(frames) frames of "
          + "\(video.name.spelled), one every \(interval) s, and counts as the last of them. "
          + "Times are seconds; max_clip_len cuts longer videos", among: "late moments of \(store)")
    }
    return target(frames: frames, interval: interval)
  }

  /// Returns the frames of a clip: from ⌊start/Δ⌋ up to, but not including, end/Δ.
  ///
  /// end/Δ is rounded half to even. A clip has at least one frame and lies within the video.
  /// - Returns: nil where the clip starts after the video's last frame.
  func clip(frames: Int, interval: Double) -> Range<Int>? {
    let first = Self.frame(start, interval, .down, limit: frames)
    let end = min(max(Self.frame(end, interval, .toNearestOrEven, limit: frames), first + 1), frames)
    return first < end ? first..<end : nil
  }

  /// Returns the frame of a time, clamped before the conversion: a file may hold any number.
  private static func frame(
    _ seconds: Double, _ interval: Double, _ rounding: FloatingPointRoundingRule, limit: Int
  ) -> Int {
    let place = (seconds / interval).rounded(rounding)
    return place.isNaN ? 0 : Int(max(0, min(Double(limit), place)))
  }
}

extension TimeSpan? {
  /// Returns the frames of a clip; one without times is the whole video.
  func clip(frames: Int, interval: Double) -> Range<Int>? {
    guard let self else { return frames > 0 ? 0..<frames : nil }
    return self.clip(frames: frames, interval: interval)
  }
}

extension VideoReader.LongVideo {
  /// Returns the frames of a moment; one without times is the whole video.
  /// - Throws: `DataError` where the moment starts after the last frame.
  func frames(of moment: TimeSpan?, interval: Double) throws -> Range<Int> {
    if let frames = moment.clip(frames: frameCount, interval: interval) { return frames }
    throw DataError(
      "the moment starts after the last of the \(frameCount) frames", place: "video \"\(name)\"",
      cure: "Choose another moment")
  }
}
