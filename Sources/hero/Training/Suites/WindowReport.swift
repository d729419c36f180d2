import Formats
import Metrics
import Tasks

extension SplitReport {
  /// Makes the report of a split whose answers are windows of the queries' own videos.
  ///
  /// The report has figures if the truth is known. They count exactly the rows that are written.
  /// - Parameters:
  ///   - truths: the truth of the queries that the figures count; empty for a hidden split.
  ///   - name: the name of the figure that chooses the best checkpoint.
  ///   - title: the title of the table.
  init(
    _ results: RetrievalResults, options: RetrievalEvaluationOptions, facts: [QueryID: KnownQueries.Facts],
    truths: [WindowTruth], headline name: String, title: String
  ) throws {
    // The rows stand in the order of the store.
    let answers = results.rankings.first { $0.ranking == .singleVideoMoment }?.queries ?? []
    let rows = answers.map { WindowPredictions($0, options, facts[$0.id]) }
    self.init { try WindowPredictions.write(rows, to: $0) }
    guard !truths.isEmpty else { return }
    let known = Set(truths.map(\.id))
    let metrics = try WindowMetrics(rows.filter { known.contains($0.id) }, truth: truths)
    scalars = metrics.figures
    table = MetricsTable(metrics, title: title)
    headline = metrics.figures.first { $0.name == name }.map { ($0.name, $0.value, true) }
  }
}

extension WindowPredictions {
  /// Takes the best moments that remain after suppression, and cuts them at the video's end.
  fileprivate init(
    _ query: QueryPredictions, _ options: RetrievalEvaluationOptions, _ facts: KnownQueries.Facts?
  ) {
    let limit = options.keptAfterSuppression
    let kept =
      options.suppression.map { NonMaximumSuppression(threshold: $0, limit: limit)(query.predictions) }
      ?? Array(query.predictions.prefix(limit))
    let length = facts?.duration.flatMap { $0 > 0 ? $0 : nil } ?? .infinity
    self.init(
      id: query.id, query: facts?.text, video: facts?.video,
      windows: kept.filter { $0.score != 0 }.map { moment in
        let (start, end) = (Double(moment.start), Double(moment.end))
        return Window(
          span: TimeSpan(start: min(start, length), end: min(end, length)), score: Double(moment.score))
      },
      saliency: Self.saliency(query.frameScores, interval: options.frameInterval))
  }

  /// Returns a score from 0 to 1 for every clip of 2 s: (1 + cosine) / 2 of the frame at its
  /// middle.
  private static func saliency(_ frames: [Float], interval: Double) -> [Double]? {
    guard !frames.isEmpty else { return nil }
    let length = ClipSaliency.clipLength
    let clips = max(1, Int((Double(frames.count) * interval / length).rounded()))
    return (0..<clips).map { clip in
      let middle = (Double(clip) + 0.5) * length / interval
      return (1 + Double(frames[min(frames.count - 1, Int(middle))])) / 2
    }
  }
}

extension MetricsTable {
  /// Makes a table of the figures that are quoted, one per row.
  init(_ metrics: WindowMetrics, title: String) {
    self.init(title: title, headings: ["", "%"])
    // Ten thresholds for each length would fill a screen with figures; JSON has them all.
    let quoted = ["R1@0.5", "R1@0.7", "mAP@0.5", "mAP@0.75"].map { "MR-full-" + $0 }
    for (name, value) in metrics.figures
    where !name.hasPrefix("MR-") || !name.contains("@") || quoted.contains(name) {
      add(name, [value])
    }
  }
}
