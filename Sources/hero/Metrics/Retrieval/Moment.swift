/// A predicted moment, as a row of a result file: `[video index, start, end, score]`.
public struct MomentPrediction: Sendable, Equatable {
  /// The video's number in the result file's `video2idx`.
  public var video: Int
  /// Where the moment begins, in seconds; 0 for video retrieval.
  public var start: Float
  /// Where the moment ends, in seconds; 0 for video retrieval.
  public var end: Float
  public var score: Float

  public init(video: Int, start: Float, end: Float, score: Float) {
    self.video = video
    self.start = start
    self.end = end
    self.score = score
  }

  /// A row of video retrieval: the video as a whole.
  public init(video: Int, score: Float) {
    self.init(video: video, start: 0, end: 0, score: score)
  }
}

/// Two times in seconds, the start first.
public struct Span: Sendable, Equatable {
  public var start: Float
  public var end: Float

  public init(_ start: Float, _ end: Float) {
    self.start = start
    self.end = end
  }
}

/// The overlap of two spans over the stretch from the earlier start to the later end.
///
/// For spans that do not touch the divisor is not their union but more; that is how TVR's own evaluation counts
/// (`compute_temporal_iou` in `utils/temporal_nms.py`), in 32-bit numbers as there. 0 for two empty spans at one place.
public func temporalIoU(_ a: Span, _ b: Span) -> Float {
  let overlap = max(0, min(a.end, b.end) - max(a.start, b.start))
  let stretch = max(a.end, b.end) - min(a.start, b.start)
  return stretch == 0 ? 0 : overlap / stretch
}
