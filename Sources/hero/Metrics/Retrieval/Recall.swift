import Foundation

/// How many queries are answered within the first predictions.
public struct Recall: Sendable, Equatable {
  /// What was ranked: moments of all videos, moments of the query's video, or videos.
  public var ranking: Ranking
  /// The query type it is about, `v`, `t` or `vt`; nil for all queries.
  public var type: String?
  /// The least temporal IoU of an answer; nil for whole videos.
  public var overlap: Float?
  /// Predictions that count.
  public var depth: Int
  /// Percentage of the queries, rounded to two places.
  public var value: Double

  /// All that is told of moments of all queries, where no query is answered.
  public static var ofMoments: [Recall] {
    Ranking.allCases.filter(\.findsMoments).flatMap { ranking in
      RetrievalMetrics.overlaps.flatMap { overlap in
        RetrievalMetrics.recallDepths.map {
          Recall(ranking: ranking, type: nil, overlap: overlap, depth: $0, value: 0)
        }
      }
    }
  }

  /// A share as a percentage of two decimals, rounded as Python's `round` does: the nearest decimal
  /// to the binary number, an exact tie to the even digit.
  static func percentage(_ share: Double) -> Double {
    let percent = share * 100
    let printed = String(format: "%.2f", percent)
    return Double(printed) ?? percent
  }

  /// The reference's name, as it logs it: `valid_val_VCMR_nms_0.5/VCMR_0.5-r1`.
  ///
  /// - Parameters:
  ///   - prefix: comes before the ranking, such as `valid_val`.
  ///   - suppression: threshold of the non-maximum suppression that came first, if any.
  public func name(prefix: String, suppression: Float? = nil) -> String {
    let group = ranking.rawValue + (type == nil ? "" : "_by_type")
    let what = [type, overlap.map { "\($0)" }, "r\(depth)"].compactMap { $0 }.joined(separator: "-")
    return "\(prefix)_\(group)\(suppression.map { "_nms_\($0)" } ?? "")/\(group)_\(what)"
  }
}
