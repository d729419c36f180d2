/// Drops moments that overlap a better one, as the reference does after retrieval
/// (`utils/temporal_nms.py`).
public struct NonMaximumSuppression: Sendable {
  /// A moment whose IoU with a better one exceeds this is dropped (`nms_thd`).
  public var threshold: Float
  /// How many candidates enter, the best first (`max_after_nms` cuts the list before, and again
  /// after).
  public var limit: Int
  /// How many moments of one video are kept at most.
  public static let limitPerVideo = 100

  /// - Parameters:
  ///   - threshold: IoU.
  ///   - limit: candidates that enter, the best first.
  public init(threshold: Float, limit: Int = 100) {
    self.threshold = threshold
    self.limit = limit
  }

  /// What remains of a ranked list of moments, within each video, the best first.
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

  /// The ranks, of one video's, that no better one suppresses.
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
