/// A filter that drops moments which overlap a better one, as in the reference
/// (`utils/temporal_nms.py`).
public struct NonMaximumSuppression: Sendable {
  /// The IoU with a better moment above which a moment is dropped (`nms_thd`).
  public var threshold: Float
  /// The number of best candidates that enter (`max_after_nms`, by which the reference cuts the
  /// list before and after).
  public var limit: Int
  /// The most moments of one video that are kept.
  public static let limitPerVideo = 100

  /// - Parameters:
  ///   - threshold: the IoU.
  ///   - limit: the number of best candidates that enter.
  public init(threshold: Float, limit: Int = 100) {
    self.threshold = threshold
    self.limit = limit
  }

  /// Returns the moments of a ranked list that no better one of the same video suppresses, the best
  /// first.
  ///
  /// - Parameter ranked: moments, the best first. Equal scores keep their order.
  public func callAsFunction(_ ranked: [MomentPrediction]) -> [MomentPrediction] {
    var byVideo: [Int: [Int]] = [:]
    let candidates = ranked.prefix(max(0, limit))
    for (rank, moment) in candidates.enumerated() {
      byVideo[moment.video, default: []].append(rank)
    }
    let kept = byVideo.values.flatMap { survivors(of: $0, in: ranked) }
    let order = kept.sorted { a, b in
      ranked[a].score != ranked[b].score ? ranked[a].score > ranked[b].score : a < b
    }
    return order.map { ranked[$0] }
  }

  /// Returns those of one video's ranks that no better one suppresses.
  private func survivors(of ranks: [Int], in ranked: [MomentPrediction]) -> [Int] {
    let order = ranks.sorted { a, b in
      ranked[a].score != ranked[b].score ? ranked[a].score > ranked[b].score : a < b
    }
    var kept: [Int] = []
    for rank in order {
      guard kept.count < Self.limitPerVideo else { break }
      let span = ranked[rank].span
      let suppressed = kept.contains { better in
        temporalIoU(ranked[better].span, span) > threshold
      }
      if !suppressed { kept.append(rank) }
    }
    return kept
  }
}
