import Corpus
import Formats
import Metrics
import Tasks

/// A split's predictions and, where its truth is known, their metrics.
public struct RetrievalAnswer {
  /// The predictions that the result file holds: after non-maximum suppression, if there is any.
  public let final: RetrievalResults
  /// Nil for a hidden split.
  public let metrics: Figures?

  /// Metrics by the reference's names.
  public struct Figures {
    /// `valid_val_VCMR/VCMR_0.5-r1` …, with and without suppression.
    public let scalars: [(name: String, value: Double)]
    private let split: String

    init(scalars: [(name: String, value: Double)], split: String) {
      self.scalars = scalars
      self.split = split
    }

    /// What tells the best checkpoint: VCMR at rank 1 and IoU 0.7, else VR at rank 1.
    var headline: (name: String, value: Double, higherIsBetter: Bool)? {
      for name in ["valid_\(split)_VCMR/VCMR_0.7-r1", "valid_\(split)_VR/VR_r1"] {
        if let value = scalars.first(where: { $0.name == name })?.value { return (name, value, true) }
      }
      return nil
    }

    public func retrievalTable(title: String) -> MetricsTable {
      MetricsTable.retrieval(
        Dictionary(scalars.map { ($0.name, $0.value) }) { first, _ in first }, title: title)
    }
  }

  init(
    results: RetrievalResults, options: RetrievalEvaluationOptions, queries: QueryStore, split: String
  ) throws {
    var truths: [RetrievalTruth] = []
    let asked = Set(queries.ids)
    try JSONLines.read(path: queries.annotationPath) { _, row in
      if let truth = try RetrievalTruth(annotation: row), asked.contains(truth.id.text) {
        truths.append(truth)
      }
    }
    // The reference cuts to `max_after_nms` before it measures.
    let ranked = results.truncated(to: options.keptAfterSuppression)
    let suppressed = options.suppression.map {
      results.suppressed(by: NonMaximumSuppression(threshold: $0, limit: options.keptAfterSuppression))
    }
    var all = ranked
    for (task, queries) in suppressed?.tasks ?? [] {
      if let place = all.tasks.firstIndex(where: { $0.task == task }) { all.tasks[place].queries = queries }
    }
    final = all
    guard !truths.isEmpty, truths.count == queries.ids.count else {
      metrics = nil
      return
    }
    let prefix = "valid_\(split)"
    var scalars = try RetrievalMetrics(results: ranked, truth: truths, byQueryType: options.byQueryType)
      .table.flattened(prefix: prefix)
    if let suppressed, let threshold = options.suppression {
      scalars += try RetrievalMetrics(results: suppressed, truth: truths, byQueryType: options.byQueryType)
        .table.flattened(prefix: prefix, suffix: "nms_\(threshold)")
    }
    metrics = Figures(scalars: scalars, split: split)
  }
}

extension RetrievalResults {
  /// The first predictions of every query.
  func truncated(to count: Int) -> RetrievalResults {
    RetrievalResults(
      videoIndex: videoIndex,
      tasks: tasks.map { task, queries in
        (task, queries.map { QueryPredictions(id: $0.id, predictions: Array($0.predictions.prefix(count))) })
      })
  }
}
