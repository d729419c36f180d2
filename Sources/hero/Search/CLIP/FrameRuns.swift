/// Finds the moments of one video from the cosines of its frames with a query.
///
/// The smoothed cosine of a frame is the mean of its own and its neighbours'. A peak is the frame
/// with the largest. A moment is a run of frames around a peak. It extends to both sides while the
/// cosine or the smoothed cosine lies above the middle between the video's mean and the peak. It
/// has from two frames to a minute. The next moment is found among the remaining frames, as long as
/// its peak lies above the middle for the best peak. A moment's score is the mean of its frames'
/// cosines.
public struct FrameRuns: Sendable {
  /// The minimum number of frames of a moment; `most` is the maximum.
  private let least: Int
  private let most: Int
  /// The level between the mean (0) and the peak (1) at which a moment ends.
  private static let level: Float = 0.5
  /// The maximum number of moments of a video.
  private static let mostMoments = 5
  private static let bounds = (least: 2, seconds: 60.0)

  /// One moment of a video.
  public struct Run: Equatable, Sendable {
    /// Frame numbers, counted from the video's first.
    public var frames: Range<Int>
    /// The mean cosine of its frames.
    public var score: Float
  }

  /// Sets the bounds of a moment's length.
  ///
  /// - Parameter frameInterval: seconds between frames.
  public init(frameInterval: Double) {
    least = Self.bounds.least
    most = max(least, Int((Self.bounds.seconds / frameInterval).rounded()))
  }

  /// Returns the moments of a video, best first.
  public func runs(_ cosines: [Float]) -> [Run] {
    guard !cosines.isEmpty else { return [] }
    let smooth = Self.smoothed(cosines)
    let mean = smooth.reduce(0, +) / Float(smooth.count)
    var isTaken = [Bool](repeating: false, count: smooth.count)
    var runs: [Run] = []
    var first: Float?
    while runs.count < Self.mostMoments,
      let peak = smooth.indices.filter({ !isTaken[$0] }).max(by: { smooth[$0] < smooth[$1] })
    {
      let threshold = mean + Self.level * (smooth[peak] - mean)
      if let first, smooth[peak] < mean + Self.level * (first - mean) { break }
      first = first ?? smooth[peak]
      let run = extend(peak, zip(cosines, smooth).map { max($0, $1) }, threshold, isTaken)
      for frame in run { isTaken[frame] = true }
      let score = cosines[run].reduce(0, +) / Float(run.count)
      // The shoulder of a found moment is not a moment itself.
      let isShoulder =
        (run.lowerBound > 0 && isTaken[run.lowerBound - 1])
        || (run.upperBound < isTaken.count && isTaken[run.upperBound])
      if runs.isEmpty || !isShoulder { runs.append(Run(frames: run, score: score)) }
    }
    return runs.sorted { $0.score > $1.score }
  }

  private func extend(_ peak: Int, _ cosines: [Float], _ threshold: Float, _ isTaken: [Bool]) -> Range<Int> {
    var (low, high) = (peak, peak + 1)
    func value(_ frame: Int) -> Float? {
      cosines.indices.contains(frame) && !isTaken[frame] ? cosines[frame] : nil
    }
    while high - low < most {
      let (left, right) = (value(low - 1), value(high))
      guard let best = [left, right].compactMap({ $0 }).max(), best >= threshold || high - low < least else {
        break
      }
      if let left, left == best { low -= 1 } else { high += 1 }
    }
    return low..<high
  }

  /// Returns the mean of each frame and its neighbours.
  private static func smoothed(_ values: [Float]) -> [Float] {
    values.indices.map { place in
      let own = values[max(0, place - 1)...min(values.count - 1, place + 1)]
      return own.reduce(0, +) / Float(own.count)
    }
  }
}
