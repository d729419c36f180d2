import Formats

/// Metrics of moments within given videos, for QVHighlights, Charades-STA, ActivityNet Captions and
/// TACoS.
///
/// The names and values for QVHighlights are those of moment_detr's `standalone_eval`:
///
/// | figure | what |
/// | --- | --- |
/// | `MR-full-mAP@0.5`, `MR-full-mAP` | mean average precision at an IoU, and over 0.5 … 0.95 |
/// | `MR-full-R1@0.5` | queries whose first window overlaps a true one by that IoU |
/// | `MR-short-…`, `MR-middle-…`, `MR-long-…` | for true windows up to 10 s, 30 s, 150 s |
/// | `HL-min-VeryGood-mAP`, `-Hit1` | for the clips that annotators rated at least so |
/// | `R1@0.3`, `R5@0.3`, `mIoU` | queries answered by the first 1 or 5; mean IoU of the first |
///
/// All are percentages with two decimals.
public struct WindowMetrics: Sendable {
  static let thresholds = (0..<10).map { Double(50 + 5 * $0) / 100 }
  /// The number of windows of a query that count for mean average precision.
  private static let ranked = 10
  private static let lengths: [(name: String, range: (Double, Double)?)] = [
    ("full", nil), ("short", (0, 10)), ("middle", (10, 30)), ("long", (30, 150)),
  ]
  private static let ratings = [("Fair", 2.0), ("Good", 3.0), ("VeryGood", 4.0)]

  /// The figures, the most quoted first.
  public private(set) var figures: [(name: String, value: Double)] = []
  /// The number of queries without a prediction, or without windows if others have some. They count
  /// as not answered.
  public private(set) var unanswered = 0
  /// The number of queries whose windows are not sorted by falling score. Recall takes them in the
  /// file's order.
  public private(set) var unordered = 0
  /// The number of windows that end before they begin. They overlap nothing.
  public private(set) var reversed = 0

  private typealias Answered = (truth: WindowTruth, answer: WindowPredictions?)

  /// - Throws: `DataError` if a prediction's query has no truth, or a query has two predictions.
  public init(_ predictions: [WindowPredictions], truth: [WindowTruth]) throws {
    var answers: [QueryID: WindowPredictions] = [:]
    let known = Set(truth.map(\.id))
    for prediction in predictions {
      guard known.contains(prediction.id) else {
        throw DataError(
          "query \(prediction.id) has no ground truth",
          cure: "Use the annotations of the split that the predictions were made for")
      }
      guard answers.updateValue(prediction, forKey: prediction.id) == nil else {
        throw DataError("has two predictions", place: "query \(prediction.id)", cure: "Keep one of them")
      }
    }
    let pairs = truth.map { (truth: $0, answer: answers[$0.id]) }
    let hasMoments = predictions.contains { !$0.windows.isEmpty }
    unanswered = pairs.count { pair in pair.answer.map { hasMoments && $0.windows.isEmpty } ?? true }
    unordered = predictions.count { row in
      zip(row.windows, row.windows.dropFirst()).contains { $0.score < $1.score }
    }
    reversed = predictions.reduce(0) { $0 + $1.windows.count { $0.span.end < $0.span.start } }
    if hasMoments {
      addMoments(pairs)
      addRecalls(pairs)
    }
    addHighlights(pairs)
  }

  private mutating func add(_ name: String, _ values: [Double]) {
    let mean = values.reduce(0, +) / Double(max(values.count, 1))
    figures.append((name, Recall.percentage(mean)))
  }

  private mutating func addMoments(_ pairs: [Answered]) {
    var details: [(name: String, values: [Double])] = []
    for (name, range) in Self.lengths {
      let inRange = pairs.compactMap { pair -> Answered? in
        guard let range else { return pair }
        var pair = pair
        pair.truth.windows.removeAll { !(range.0 < $0.end - $0.start && $0.end - $0.start <= range.1) }
        return pair.truth.windows.isEmpty ? nil : pair
      }
      guard !inRange.isEmpty else { continue }
      let precisions = inRange.map { truth, answer in
        AveragePrecision.ofWindows(
          Array((answer?.windows ?? []).prefix(Self.ranked)), truth.windows, thresholds: Self.thresholds)
      }
      let firsts = inRange.map { Self.overlaps($0).first ?? 0 }
      details.append(("MR-\(name)-mAP", precisions.map { $0.reduce(0, +) / Double($0.count) }))
      for (number, threshold) in Self.thresholds.enumerated() {
        details.append(("MR-\(name)-mAP@\(threshold)", precisions.map { $0[number] }))
      }
      for threshold in Self.thresholds {
        details.append(("MR-\(name)-R1@\(threshold)", firsts.map { $0 >= threshold ? 1 : 0 }))
      }
    }
    let quoted = [
      "MR-full-R1@0.5", "MR-full-R1@0.7", "MR-full-mAP", "MR-full-mAP@0.5", "MR-full-mAP@0.75",
      "MR-long-mAP", "MR-middle-mAP", "MR-short-mAP",
    ]
    let (first, others) = (
      quoted.compactMap { name in details.first { $0.name == name } },
      details.filter { !quoted.contains($0.name) }
    )
    for (name, values) in first + others { add(name, values) }
  }

  /// The number of windows of a query that count for recall.
  private static let deepest = 5

  /// Returns the largest overlap with a true window for each of the answer's first windows.
  private static func overlaps(_ pair: Answered) -> [Double] {
    (pair.answer?.windows ?? []).prefix(deepest).map { window in
      pair.truth.windows.map { AveragePrecision.overlap(window.span, $0) }.max() ?? 0
    }
  }

  private mutating func addRecalls(_ pairs: [Answered]) {
    let overlaps = pairs.map(Self.overlaps)
    for depth in [1, Self.deepest] {
      for threshold in [0.3, 0.5, 0.7] {
        add("R\(depth)@\(threshold)", overlaps.map { $0.prefix(depth).contains { $0 >= threshold } ? 1 : 0 })
      }
    }
    add("mIoU", overlaps.map { $0.first ?? 0 })
  }

  private mutating func addHighlights(_ pairs: [Answered]) {
    let rated = pairs.compactMap { truth, answer in truth.saliency.map { ($0, answer?.saliency ?? []) } }
    guard pairs.contains(where: { $0.answer?.saliency != nil }), !rated.isEmpty else { return }
    for (name, least) in Self.ratings {
      var (precisions, hits): ([Double], [Double]) = ([], [])
      for (saliency, scores) in rated {
        let relevant = saliency.relevant(least: least)
        precisions += relevant.map { scores.isEmpty ? 0 : AveragePrecision.ofClips(scores, relevant: $0) }
        let best = scores.indices.max { (scores[$0], $1) < (scores[$1], $0) }
        hits.append(
          best.map { best in relevant.contains { best < $0.count && $0[best] } ? 1 : 0 } ?? 0)
      }
      add("HL-min-\(name)-mAP", precisions)
      add("HL-min-\(name)-Hit1", hits)
    }
  }
}
