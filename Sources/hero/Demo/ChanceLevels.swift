/// The scores of guessing in the search for videos and moments, in percent.
struct ChanceLevels {
  private let frameInterval: Double
  /// The spans of an allowed length in each video: minimum ≤ last − first < maximum, in frames
  /// (Docs/Computation.md §5).
  private let spans: [[ClosedRange<Int>]]
  private static let ranks = [1, 5, 10, 100]

  init(scenarios: [Scenario], options: DemoOptions, minimumLength: Int, maximumLength: Int) {
    frameInterval = options.frameInterval
    spans = scenarios.map { scenario in
      (0..<scenario.frameCount).flatMap { first in
        (first..<scenario.frameCount).filter { minimumLength <= $0 - first && $0 - first < maximumLength }
          .map { first...$0 }
      }
    }
  }

  /// Returns the scores of drawing videos: `VR_r1` and so on.
  func ofVideos() -> [String: Double] {
    Dictionary(
      uniqueKeysWithValues: Self.ranks.map {
        ("VR_r\($0)", 100 * Self.hit(good: 1, of: spans.count, draws: $0))
      })
  }

  /// Returns the scores of drawing spans from all videos (VCMR) or the right one (SVMR), and
  /// videos.
  ///
  /// `queries` holds the queries of each video, each with one moment or with those of several
  /// annotators, of whom two must agree.
  func ofMoments(_ queries: [[[ClosedRange<Double>]]]) -> [String: Double] {
    let everySpan = spans.reduce(0) { $0 + $1.count }
    let queryCount = queries.reduce(0) { $0 + $1.count }
    var levels = ofVideos()
    for (video, moments) in zip(spans, queries).flatMap({ spans, queries in queries.map { (spans, $0) } }) {
      for threshold in [0.5, 0.7] {
        let good = video.count { span in
          moments.count { overlap($0, span) >= threshold } >= min(2, moments.count)
        }
        for rank in Self.ranks {
          let name = "_\(threshold)-r\(rank)"
          let share = 100 / Double(queryCount)
          levels["VCMR" + name, default: 0] += share * Self.hit(good: good, of: everySpan, draws: rank)
          levels["SVMR" + name, default: 0] += share * Self.hit(good: good, of: video.count, draws: rank)
        }
      }
    }
    return levels
  }

  /// Returns the intersection over the whole stretch from the earlier start to the later end.
  private func overlap(_ moment: ClosedRange<Double>, _ span: ClosedRange<Int>) -> Double {
    let start = Double(span.lowerBound) * frameInterval
    let end = Double(span.upperBound + 1) * frameInterval
    let both = min(moment.upperBound, end) - max(moment.lowerBound, start)
    return max(0, both) / (max(moment.upperBound, end) - min(moment.lowerBound, start))
  }

  /// Returns the probability that `draws` distinct candidates of `count` include one of the `good`
  /// ones.
  private static func hit(good: Int, of count: Int, draws: Int) -> Double {
    guard good > 0 else { return 0 }
    guard count - good >= draws else { return 1 }
    var miss = 1.0
    for drawn in 0..<draws { miss *= Double(count - good - drawn) / Double(count - drawn) }
    return 1 - miss
  }
}
