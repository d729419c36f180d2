import Corpus
import Formats
import Metrics
import Tasks

extension SplitReport {
  /// Makes the report of a split: its predictions as in the result file, and recalls if truth is
  /// known.
  ///
  /// The result file holds the best `max_after_nms` predictions. If the truth is known, they are
  /// the best after suppression. Those of a hidden split are not suppressed, as the reference hands
  /// them in and TVR's submission format wants them.
  /// - Parameters:
  ///   - truths: the truth of the queries that the recalls count; empty for a hidden split.
  ///   - title: the title of the table.
  ///   - idsAreText: whether VALUE writes the queries' ids as text, as it does in the search for
  ///     whole videos.
  init(
    _ results: RetrievalResults, options: RetrievalEvaluationOptions, truths: [RetrievalTruth],
    split: String, title: String, idsAreText: Bool
  ) throws {
    // The reference cuts to `max_after_nms` before it measures.
    let limit = options.keptAfterSuppression
    let ranked = results.truncated(to: limit)
    let threshold = truths.isEmpty ? nil : options.suppression
    let suppressed = threshold.map {
      results.suppressed(by: NonMaximumSuppression(threshold: $0, limit: limit))
    }
    var final = ranked
    for (ranking, queries) in suppressed?.rankings ?? [] {
      if let place = final.rankings.firstIndex(where: { $0.ranking == ranking }) {
        final.rankings[place].queries = queries
      }
    }
    self.init(writeAs: { [final] path, form in
      switch form {
      case .task: try final.write(path: path)
      case .value: try final.writeForValue(path: path, idsAreText: idsAreText)
      }
    })
    guard !truths.isEmpty else { return }
    let known = Set(truths.map(\.id))
    let measure = { (results: RetrievalResults) in
      try RetrievalMetrics(
        results: results.with(
          results.rankings.map { ranking, queries in (ranking, queries.filter { known.contains($0.id) }) }),
        truth: truths, byQueryType: options.byQueryType
      ).recalls
    }
    let (recalls, after) = (try measure(ranked), try suppressed.map(measure) ?? [])
    let prefix = "valid_\(split)"
    scalars =
      recalls.map { ($0.name(prefix: prefix), $0.value) }
      + after.map { ($0.name(prefix: prefix, suppression: threshold), $0.value) }
    table = MetricsTable.retrieval(recalls, suppressed: threshold.map { ($0, after) }, title: title)
    // VCMR at rank 1 and IoU 0.7 chooses the best checkpoint, or else VR at rank 1.
    let best =
      recalls.first {
        $0.ranking == .videoCorpusMoment && $0.overlap == 0.7 && $0.depth == 1 && $0.type == nil
      }
      ?? recalls.first { $0.ranking == .video && $0.depth == 1 && $0.type == nil }
    headline = best.map { ($0.name(prefix: prefix), $0.value, true) }
    figure = .recalls(recalls)
  }
}

extension RetrievalResults {
  /// Returns the first predictions of every query.
  func truncated(to count: Int) -> RetrievalResults {
    with(
      rankings.map { ranking, queries in
        (
          ranking,
          queries.map { QueryPredictions(id: $0.id, predictions: Array($0.predictions.prefix(count))) }
        )
      })
  }
}

extension MetricsTable {
  /// Makes a table with a row per ranking and IoU (and query type, if any), and a column per depth.
  ///
  /// The rows of all queries come first, those after suppression last.
  static func retrieval(
    _ recalls: [Recall], suppressed: (threshold: Float, recalls: [Recall])? = nil, title: String? = nil
  ) -> MetricsTable {
    let all = recalls + (suppressed?.recalls ?? [])
    let depths = Set(all.map(\.depth)).sorted()
    var table = MetricsTable(title: title, headings: [""] + depths.map { "R@\($0)" })
    for (recalls, note) in [
      (recalls, ""), (suppressed?.recalls ?? [], suppressed.map { " NMS \($0.threshold)" } ?? ""),
    ] {
      var rows: [(label: String, values: [Int: Double])] = []
      let types = [nil] + RetrievalMetrics.queryTypes.map(Optional.some)
      for (type, ranking) in types.flatMap({ type in Ranking.allCases.map { (type, $0) } }) {
        for recall in recalls where recall.type == type && recall.ranking == ranking {
          let label = Self.label(of: recall) + note
          if rows.last?.label != label { rows.append((label, [:])) }
          rows[rows.count - 1].values[recall.depth] = recall.value
        }
      }
      for row in rows { table.add(row.label, depths.map { row.values[$0] }) }
    }
    return table
  }

  private static func label(of recall: Recall) -> String {
    let kind =
      recall.type.map { [" (video)", " (text)", " (both)"][["v": 0, "t": 1, "vt": 2][$0] ?? 2] } ?? ""
    return recall.ranking.rawValue + kind + (recall.overlap.map { " IoU \($0)" } ?? "")
  }
}
