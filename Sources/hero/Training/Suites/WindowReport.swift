import Formats
import Metrics
import Tasks

/// A split's answers as windows of the queries' own videos, and their figures where the truth is
/// known.
///
/// Figures are of the queries that could be asked and whose truth is known, and of the very rows
/// that are written.
struct WindowReport {
  /// The answers, in the order of the store.
  let rows: [WindowPredictions]
  /// The queries that the figures count.
  let counted: Int
  /// Nil for a hidden split.
  let metrics: WindowMetrics?
  /// Of the true windows, those that are longer than any that is looked for.
  let tooLong: (windows: Int, of: Int)

  init(_ results: RetrievalResults, options: RetrievalEvaluationOptions, queries: KnownQueries) throws {
    let answers = results.tasks.first { $0.task == .singleVideoMoment }?.queries ?? []
    rows = answers.map { Self.row($0, options, queries.facts[$0.id]) }
    let leftOut = Set(results.leftOut)
    let truths = queries.windows.filter { !leftOut.contains($0.id) }
    counted = truths.count
    let known = Set(truths.map(\.id))
    metrics =
      truths.isEmpty ? nil : try WindowMetrics(rows.filter { known.contains($0.id) }, truth: truths)
    let (windows, longest) = (truths.flatMap(\.windows), Double(options.maxLength) * options.frameInterval)
    tooLong = (windows.count { $0.end - $0.start > longest }, windows.count)
  }

  /// The best moments that remain after suppression, ended where the video ends.
  private static func row(
    _ query: QueryPredictions, _ options: RetrievalEvaluationOptions, _ facts: KnownQueries.Facts?
  ) -> WindowPredictions {
    let limit = options.keptAfterSuppression
    let kept =
      options.suppression.map { NonMaximumSuppression(threshold: $0, limit: limit)(query.predictions) }
      ?? Array(query.predictions.prefix(limit))
    let length = facts?.duration.flatMap { $0 > 0 ? $0 : nil } ?? .infinity
    return WindowPredictions(
      id: query.id, query: facts?.text, video: facts?.video,
      windows: kept.filter { $0.score != 0 }.map { moment in
        let (start, end) = (Double(moment.start), Double(moment.end))
        return WindowPredictions.Window(
          span: TimeSpan(start: min(start, length), end: min(end, length)), score: Double(moment.score))
      },
      saliency: saliency(query.frameScores, interval: options.frameInterval))
  }

  /// A score from 0 to 1 for every clip of 2 s: (1 + cosine) / 2 of the frame at the clip's middle.
  private static func saliency(_ frames: [Float], interval: Double) -> [Double]? {
    guard !frames.isEmpty else { return nil }
    let length = ClipSaliency.clipLength
    let clips = max(1, Int((Double(frames.count) * interval / length).rounded()))
    return (0..<clips).map { clip in
      let middle = (Double(clip) + 0.5) * length / interval
      return (1 + Double(frames[min(frames.count - 1, Int(middle))])) / 2
    }
  }

  /// - Parameters:
  ///   - headline: the figure that tells which checkpoint is best.
  ///   - title: of the table.
  func report(headline: String, title: String) -> SplitReport {
    var report = SplitReport { [rows] in try WindowPredictions.write(rows, to: $0) }
    guard let metrics else { return report }
    report.scalars = metrics.figures
    report.table = MetricsTable(metrics, title: title)
    report.headline = metrics.figures.first { $0.name == headline }.map { ($0.name, $0.value, true) }
    return report
  }
}

extension MetricsTable {
  /// The figures that are quoted, one a row.
  init(_ metrics: WindowMetrics, title: String) {
    self.init(title: title, headings: ["", "%"])
    // One table of ten thresholds for each length would be a screen of figures; JSON has them all.
    let quoted = ["R1@0.5", "R1@0.7", "mAP@0.5", "mAP@0.75"].map { "MR-full-" + $0 }
    for (name, value) in metrics.figures
    where !name.hasPrefix("MR-") || !name.contains("@") || quoted.contains(name) {
      add(name, [value])
    }
  }
}
