import Foundation

/// Collects the best moments of one query over any number of videos.
///
/// The score of frames i … j of a video is `factor · start[i] · end[j]`, for `minLength ≤ j − i < maxLength` only
/// (`min_pred_l`, `max_pred_l`). The reference fills, masks and sorts the whole length × length table of every video;
/// here rows that cannot reach the kept list are skipped, and the list is a heap of `capacity` (`max_before_nms`) moments.
/// Moments that score 0 are no answers and are left out. A moment that two windows of a video hold counts once, with its
/// better score. Equal scores rank by the place of the video among those
/// added, then by start, then by end.
public struct MomentScorer {
  /// A moment in frames of the whole video that `add` was told.
  public struct Moment: Sendable, Equatable {
    public var video: Int
    /// The first frame.
    public var start: Int
    /// The last frame, itself part of the moment.
    public var end: Int
    public var score: Float
  }

  private struct Place: Hashable {
    var video: Int
    var start: Int
    var end: Int
  }

  /// No clip has this many frames; keeps sums of lengths from overflowing.
  private static let longest = 1 << 30

  private let minLength: Int
  private let maxLength: Int
  private let findsShortVideos: Bool
  /// Whether two videos that were added may be windows of one.
  private var hasWindows = false
  private var list: BoundedTopList<Place>
  private var candidatesSeen = 0
  private var reachableEnd: [Float] = []
  private var window: [Int] = []

  /// - Parameters:
  ///   - minLength: the smallest `j − i` (`min_pred_l`).
  ///   - maxLength: one more than the largest `j − i` (`max_pred_l`).
  ///   - capacity: how many moments to keep (`max_before_nms`).
  ///   - findsShortVideos: whether a video that is shorter than the shortest moment is a moment as a whole. The reference
  ///     finds none there.
  public init(minLength: Int, maxLength: Int, capacity: Int, findsShortVideos: Bool = false) {
    self.findsShortVideos = findsShortVideos
    self.minLength = min(max(0, minLength), Self.longest)
    self.maxLength = min(max(0, maxLength), Self.longest)
    list = BoundedTopList(capacity: capacity)
  }

  /// Adds the moments of one video.
  ///
  /// - Parameters:
  ///   - video: the number under which the video's moments are reported.
  ///   - firstFrame: of the video, where these frames are a window of it.
  ///   - factor: multiplies every score; 1 where the video is given.
  ///   - start: the probability that the moment starts at each frame [n].
  ///   - end: the probability that it ends there [n]. Frames that only one of the two has are ignored.
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
    let count = min(start.count, end.count)
    let firstOrder = candidatesSeen
    candidatesSeen += count * count
    if firstFrame > 0 { hasWindows = true }
    let minLength = findsShortVideos ? max(0, min(self.minLength, count - 1)) : self.minLength
    guard minLength < maxLength, count > minLength else { return }
    // Most videos of a long list have no moment that could enter it.
    guard factor * Self.most(start, count) * Self.most(end, count) >= list.threshold else { return }
    findReachableEnds(end, count: count, minLength: minLength)
    for i in 0..<(count - minLength) {
      let scaled = factor * start[i]
      let reach = scaled * reachableEnd[i]
      guard reach > 0, reach >= list.threshold else { continue }
      for j in (i + minLength)..<min(i + maxLength, count) {
        let score = scaled * end[j]
        guard score > 0 else { continue }
        list.insert(
          score: score, order: firstOrder + i * count + j,
          payload: Place(video: video, start: firstFrame + i, end: firstFrame + j))
      }
    }
  }

  /// The moments kept, the best first.
  public func moments() -> [Moment] {
    var seen: Set<Place> = []
    return list.sorted().filter { !hasWindows || seen.insert($0.payload).inserted }.map {
      Moment(video: $0.payload.video, start: $0.payload.start, end: $0.payload.end, score: $0.score)
    }
  }

  /// The moments kept, the best first, in seconds: from the start of the first frame to the end of the last.
  ///
  /// - Parameter frameInterval: seconds per frame.
  public func predictions(frameInterval: Float) -> [MomentPrediction] {
    moments().map {
      MomentPrediction(
        video: $0.video, start: Float($0.start) * frameInterval,
        end: Float($0.end) * frameInterval + frameInterval, score: $0.score)
    }
  }

  /// The largest of the first `count` elements.
  private static func most(_ values: UnsafeBufferPointer<Float>, _ count: Int) -> Float {
    var most = -Float.infinity
    for i in 0..<count where values[i] > most { most = values[i] }
    return most
  }

  /// For every start frame, the largest end probability that `minLength` and `maxLength` let it reach, in one pass:
  /// `window` holds the frames ahead whose probability nothing later exceeds.
  private mutating func findReachableEnds(
    _ end: UnsafeBufferPointer<Float>, count: Int, minLength: Int
  ) {
    reachableEnd.removeAll(keepingCapacity: true)
    reachableEnd.append(contentsOf: repeatElement(0, count: count))
    window.removeAll(keepingCapacity: true)
    var head = 0
    var next = minLength
    for i in 0..<(count - minLength) {
      while next < min(i + maxLength, count) {
        while window.count > head, let last = window.last, end[last] <= end[next] { window.removeLast() }
        window.append(next)
        next += 1
      }
      while window[head] < i + minLength { head += 1 }
      reachableEnd[i] = end[window[head]]
    }
  }
}
