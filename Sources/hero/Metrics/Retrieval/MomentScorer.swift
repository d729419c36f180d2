import Foundation

/// Collects the best moments of one query over any number of videos.
///
/// The score of frames i … j of a video is `factor · start[i] · end[j]`, for `minLength ≤ j − i <
/// maxLength` only (`min_pred_l`, `max_pred_l`). The reference fills, masks and sorts the whole
/// length × length table of every video. This skips rows that cannot reach the kept list, a heap of
/// `capacity` (`max_before_nms`) moments.
///
/// Moments that score 0 are no answers and are left out. A moment of two windows of a video counts
/// once, with its better score. Equal scores rank by the place of the video among those added, then
/// by start, then by end. If the factor is a logarithmic `VideoWeight`, so are the scores.
public struct MomentScorer {
  /// A moment in frames of the whole video that was passed to `add`.
  public struct Moment: Sendable, Equatable {
    /// The video's number, as passed to `add`.
    public var video: Int
    /// The first frame.
    public var start: Int
    /// The last frame, itself part of the moment.
    public var end: Int
    /// factor · start[i] · end[j], or its logarithm.
    public var score: Float
  }

  /// No clip has this many frames; keeps sums of lengths from overflowing.
  private static let longest = 1 << 30

  private let weight: VideoWeight?
  private var products: MomentList<Float>
  private var logarithms: MomentList<LogarithmicScore>

  /// - Parameters:
  ///   - minLength: the smallest `j − i` (`min_pred_l`).
  ///   - maxLength: one more than the largest `j − i` (`max_pred_l`).
  ///   - capacity: how many moments to keep (`max_before_nms`).
  ///   - weight: makes factors of videos' scores; nil where `add` gets the factors themselves.
  ///   - findsShortVideos: whether a video shorter than the shortest moment is a moment as a whole.
  ///     The reference finds none there.
  public init(
    minLength: Int, maxLength: Int, capacity: Int, weight: VideoWeight? = nil, findsShortVideos: Bool = false
  ) {
    let least = min(max(0, minLength), Self.longest)
    let lengths = least..<max(least, min(max(0, maxLength), Self.longest))
    self.weight = weight
    products = MomentList(lengths: lengths, capacity: capacity, findsShortVideos: findsShortVideos)
    logarithms = MomentList(lengths: lengths, capacity: capacity, findsShortVideos: findsShortVideos)
  }

  /// Adds the moments of one video.
  ///
  /// - Parameters:
  ///   - video: the number under which the video's moments are reported.
  ///   - firstFrame: of the video, where these frames are a window of it.
  ///   - factor: multiplies every score, 1 where the video is given; with a `weight`, the video's
  ///     score.
  ///   - start: the probability that the moment starts at each frame [n].
  ///   - end: the probability that it ends there [n]. Frames that only one of the two has are
  ///     ignored.
  public mutating func add(
    video: Int, firstFrame: Int = 0, factor: Float = 1, start: [Float], end: [Float]
  ) {
    start.withUnsafeBufferPointer { start in
      end.withUnsafeBufferPointer {
        add(video: video, firstFrame: firstFrame, factor: factor, start: start, end: $0)
      }
    }
  }

  /// The same for probabilities that lie in a larger array.
  public mutating func add(
    video: Int, firstFrame: Int = 0, factor: Float = 1, start: UnsafeBufferPointer<Float>,
    end: UnsafeBufferPointer<Float>
  ) {
    guard let weight, weight.isLogarithmic else {
      products.add(
        video: video, firstFrame: firstFrame, factor: weight?.written(factor) ?? factor, start: start,
        end: end)
      return
    }
    let logarithm = { (p: Float) in LogarithmicScore(logarithm: log(Double(p))) }
    let (starts, ends) = (start.map(logarithm), end.map(logarithm))
    starts.withUnsafeBufferPointer { start in
      ends.withUnsafeBufferPointer { end in
        logarithms.add(
          video: video, firstFrame: firstFrame,
          factor: LogarithmicScore(logarithm: weight.multiplier(factor)), start: start, end: end)
      }
    }
  }

  /// The moments kept, the best first.
  public func moments() -> [Moment] {
    weight?.isLogarithmic == true ? logarithms.moments() : products.moments()
  }

  /// The moments kept, the best first, in seconds: from the start of the first frame to the end of
  /// the last.
  ///
  /// - Parameter frameInterval: seconds per frame.
  public func predictions(frameInterval: Float) -> [MomentPrediction] {
    moments().map {
      MomentPrediction(
        video: $0.video, start: Float($0.start) * frameInterval,
        end: Float($0.end) * frameInterval + frameInterval, score: $0.score)
    }
  }
}
