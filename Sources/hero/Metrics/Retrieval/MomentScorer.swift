import Foundation

/// A collector of the best moments of one query over any number of videos.
///
/// The score of frames i … j of a video is `factor · start[i] · end[j]`, for `minLength ≤ j − i <
/// maxLength` only (`min_pred_l`, `max_pred_l`). The reference fills, masks and sorts the whole
/// length × length table of each video. This scorer keeps a heap of `capacity` (`max_before_nms`)
/// moments, and skips rows that cannot reach it.
///
/// A moment with score 0 is no answer and is skipped. A moment in two windows of a video counts
/// once, with its better score. Equal scores rank by the order in which videos were added, then by
/// start, then by end. If the factor is a logarithmic `VideoWeight`, scores are logarithms too.
public struct MomentScorer {
  /// A moment in frames of the whole video.
  public struct Moment: Sendable, Equatable {
    /// The video's number, as passed to `add`.
    public var video: Int
    /// The first frame.
    public var start: Int
    /// The last frame, which is part of the moment.
    public var end: Int
    /// factor · start[i] · end[j], or its logarithm.
    public var score: Float
  }

  /// The most frames of a clip, so that sums of lengths do not overflow.
  private static let longest = 1 << 30

  private let weight: VideoWeight?
  private var products: MomentList<Float>
  private var logarithms: MomentList<LogarithmicScore>

  /// - Parameters:
  ///   - minLength: the smallest `j − i` (`min_pred_l`).
  ///   - maxLength: one more than the largest `j − i` (`max_pred_l`).
  ///   - capacity: the number of moments to keep (`max_before_nms`).
  ///   - weight: turns videos' scores into factors; nil if `add` receives the factors themselves.
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
  ///   - firstFrame: the first of these frames in the video, if they are a window of it.
  ///   - factor: multiplies every score, 1 if the video is given; with a `weight`, the video's
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

  /// Adds the moments of one video, with probabilities that are part of a larger array.
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

  /// Returns the kept moments, the best first.
  public func moments() -> [Moment] {
    weight?.isLogarithmic == true ? logarithms.moments() : products.moments()
  }

  /// Returns the kept moments in seconds, the best first.
  ///
  /// They last from the start of the first frame to the end of the last.
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
