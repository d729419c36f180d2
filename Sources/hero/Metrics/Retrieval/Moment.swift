import Formats

/// A predicted moment, a row of a result file: `[video index, start, end, score]`.
public struct MomentPrediction: Sendable, Equatable {
  /// The video's number in the result file's `video2idx`.
  public var video: Int
  /// The start of the moment in seconds; 0 for video retrieval.
  public var start: Float
  /// The end of the moment in seconds; 0 for video retrieval.
  public var end: Float
  /// The score that the ranking sorts by; higher is better.
  public var score: Float

  /// - Parameters:
  ///   - video: the video's number in the result file.
  ///   - start: seconds.
  ///   - end: seconds.
  public init(video: Int, start: Float, end: Float, score: Float) {
    self.video = video
    self.start = start
    self.end = end
    self.score = score
  }

  /// The start and end in seconds.
  public var span: TimeSpan { TimeSpan(start: Double(start), end: Double(end)) }

  /// Creates a row of video retrieval, for the video as a whole.
  public init(video: Int, score: Float) {
    self.init(video: video, start: 0, end: 0, score: score)
  }
}

/// Returns the overlap of two spans over the range from the earlier start to the later end.
///
/// For spans that do not touch, that range is longer than their union. TVR's own evaluation does
/// the same (`compute_temporal_iou` in `utils/temporal_nms.py`), also in float32. Two empty spans
/// at one place give 0.
public func temporalIoU(_ a: TimeSpan, _ b: TimeSpan) -> Float {
  let (starts, ends) = ((Float(a.start), Float(b.start)), (Float(a.end), Float(b.end)))
  let overlap = max(0, min(ends.0, ends.1) - max(starts.0, starts.1))
  let stretch = max(ends.0, ends.1) - min(starts.0, starts.1)
  return stretch == 0 ? 0 : overlap / stretch
}
