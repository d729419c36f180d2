import Foundation

/// The percentage of queries that the first predictions answer.
public struct Recall: Sendable, Equatable {
  /// The ranking: of moments of all videos, of moments of the query's video, or of videos.
  public var ranking: Ranking
  /// The query type, `v`, `t` or `vt`; nil for all queries.
  public var type: String?
  /// The least temporal IoU of an answer; nil for whole videos.
  public var overlap: Float?
  /// The number of first predictions that count.
  public var depth: Int
  /// The percentage of queries, rounded to two decimals.
  public var value: Double

  /// Every recall of moments over all queries, with value 0.
  public static var ofMoments: [Recall] {
    Ranking.allCases.filter(\.findsMoments).flatMap { ranking in
      RetrievalMetrics.overlaps.flatMap { overlap in
        RetrievalMetrics.recallDepths.map {
          Recall(ranking: ranking, type: nil, overlap: overlap, depth: $0, value: 0)
        }
      }
    }
  }

  /// Returns a share as a percentage with two decimals, rounded as Python's `round` does.
  ///
  /// That is the nearest decimal to the binary number, and the even digit for an exact tie.
  static func percentage(_ share: Double) -> Double {
    let percent = share * 100
    let printed = String(format: "%.2f", percent)
    return Double(printed) ?? percent
  }

  /// Returns the name that the reference logs: `valid_val_VCMR_nms_0.5/VCMR_0.5-r1`.
  ///
  /// - Parameters:
  ///   - prefix: the part before the ranking, such as `valid_val`.
  ///   - suppression: the threshold of the preceding non-maximum suppression, if any.
  public func name(prefix: String, suppression: Float? = nil) -> String {
    let group = ranking.rawValue + (type == nil ? "" : "_by_type")
    let what = [type, overlap.map { "\($0)" }, "r\(depth)"].compactMap { $0 }.joined(separator: "-")
    return "\(prefix)_\(group)\(suppression.map { "_nms_\($0)" } ?? "")/\(group)_\(what)"
  }
}
