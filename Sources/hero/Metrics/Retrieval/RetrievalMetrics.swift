import Formats

/// The recall of moments and videos, as in TVR's own evaluation.
///
/// A query is answered at rank k and IoU t if one of its first k predictions is in the right video
/// and overlaps the true moment by at least t. Values are percentages of queries, rounded to two
/// decimals. Source: `utils/tvr_standalone_eval.py` of the reference.
public struct RetrievalMetrics: Sendable {
  /// The k of R@k.
  public static let recallDepths = [1, 5, 10, 100]
  /// The t of IoU ≥ t.
  public static let overlaps: [Float] = [0.5, 0.7]
  /// The query types by which recall is reported, in order.
  public static let queryTypes = ["v", "t", "vt"]
  /// The last rank at which a prediction counts.
  static let deepest = 100

  /// The recalls, those of all queries first.
  public private(set) var recalls: [Recall] = []

  /// Measures the predictions of a result file.
  ///
  /// - Parameters:
  ///   - results: predictions per ranking, the best first.
  ///   - truth: one per query. Recalls of moments count the queries with a span; if none has one,
  ///     moments are not measured.
  ///   - byQueryType: whether to add the recall within each query type that occurs.
  /// - Throws: `DataError` if predictions answer a query without ground truth, or a true video has
  ///   no number.
  public init(results: RetrievalResults, truth: [RetrievalTruth], byQueryType: Bool) throws {
    var byType: [Recall] = []
    let known = Set(truth.map(\.id))
    for (ranking, queries) in results.rankings {
      let truth = ranking.findsMoments ? truth.filter { !$0.spans.isEmpty } : truth
      if truth.isEmpty, ranking.findsMoments { continue }
      let hits = try Self.hits(
        ranking: ranking, queries: queries, truth: truth, known: known, results: results)
      recalls += Self.recalls(ranking: ranking, hits: hits, type: nil)
      guard byQueryType else { continue }
      for type in Self.queryTypes {
        let ofType = zip(hits, truth).filter { $0.1.type == type }.map(\.0)
        if !ofType.isEmpty { byType += Self.recalls(ranking: ranking, hits: ofType, type: type) }
      }
    }
    recalls += byType
  }

  /// The first rank, from 0, that meets each criterion; `deepest` if none does.
  private typealias FirstHits = [Int]

  private static func criteria(_ ranking: Ranking) -> [Float?] {
    ranking.findsMoments ? overlaps : [nil]
  }

  private static func hits(
    ranking: Ranking, queries: [QueryPredictions], truth: [RetrievalTruth], known: Set<QueryID>,
    results: RetrievalResults
  ) throws -> [FirstHits] {
    if let stranger = queries.first(where: { !known.contains($0.id) }) {
      throw DataError(
        "\(ranking.rawValue) answers query \(stranger.id), which has no ground truth",
        cure: "Use the annotations of the split that the predictions were made for")
    }
    let predictions = Dictionary(queries.map { ($0.id, $0.predictions) }) { first, _ in first }
    return try truth.map { truth in
      guard let video = results.videoIndex[truth.video] else {
        throw DataError(
          "video \"\(truth.video)\" of query \(truth.id) is not among the candidates",
          cure: "Evaluate with the vid2dur_idx.json and the split that hold this video")
      }
      let ranked = (predictions[truth.id] ?? []).prefix(deepest)
      return criteria(ranking).map { overlap in
        ranked.firstIndex { answers($0, truth, video: video, overlap: overlap) } ?? deepest
      }
    }
  }

  private static func answers(
    _ prediction: MomentPrediction, _ truth: RetrievalTruth, video: Int, overlap: Float?
  ) -> Bool {
    guard prediction.video == video else { return false }
    guard let overlap else { return true }
    let agreeing = truth.spans.count { temporalIoU(prediction.span, $0) >= overlap }
    return agreeing >= truth.agreementNeeded
  }

  private static func recalls(ranking: Ranking, hits: [FirstHits], type: String?) -> [Recall] {
    criteria(ranking).enumerated().flatMap { criterion, overlap in
      recallDepths.map { depth in
        let answered = hits.count { $0[criterion] < depth }
        let share = hits.isEmpty ? 0 : Double(answered) / Double(hits.count)
        return Recall(
          ranking: ranking, type: type, overlap: overlap, depth: depth, value: Recall.percentage(share))
      }
    }
  }
}
