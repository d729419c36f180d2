import Formats

/// A predicted moment, as a row of a result file: `[video index, start, end, score]`.
public struct MomentPrediction: Sendable, Equatable {
  /// The video's number in the result file's `video2idx`.
  public var video: Int
  /// Where the moment begins, in seconds; 0 for video retrieval.
  public var start: Float
  /// Where the moment ends, in seconds; 0 for video retrieval.
  public var end: Float
  /// What the ranking sorts by; higher is better.
  public var score: Float

  /// - Parameters:
  ///   - video: its index in the result file.
  ///   - start: seconds.
  ///   - end: seconds.
  public init(video: Int, start: Float, end: Float, score: Float) {
    self.video = video
    self.start = start
    self.end = end
    self.score = score
  }

  /// Where it is, in seconds.
  public var span: TimeSpan { TimeSpan(start: Double(start), end: Double(end)) }

  /// A row of video retrieval: the video as a whole.
  public init(video: Int, score: Float) {
    self.init(video: video, start: 0, end: 0, score: score)
  }
}

/// The overlap of two spans over the stretch from the earlier start to the later end.
///
/// For spans that do not touch, that divisor is more than their union, as in TVR's own evaluation
/// (`compute_temporal_iou` in `utils/temporal_nms.py`). Computed in 32-bit numbers as there. 0 for
/// two empty spans at one place.
public func temporalIoU(_ a: TimeSpan, _ b: TimeSpan) -> Float {
  let (starts, ends) = ((Float(a.start), Float(b.start)), (Float(a.end), Float(b.end)))
  let overlap = max(0, min(ends.0, ends.1) - max(starts.0, starts.1))
  let stretch = max(ends.0, ends.1) - min(starts.0, starts.1)
  return stretch == 0 ? 0 : overlap / stretch
}
