import Formats
import Foundation
import TestSupport
import Testing

@testable import Metrics

/// The windows and saliencies in `Fixtures/Windows` get the figures of moment_detr's
/// `standalone_eval`.
@Suite struct WindowMetricsTests {
  private let truth: [WindowTruth]
  private let predictions: [WindowPredictions]

  init() throws {
    var (truth, predictions): ([WindowTruth], [WindowPredictions]) = ([], [])
    try JSONLines.read(path: Fixtures.path("Windows/truth.jsonl")) { _, row in
      truth.append(try #require(try WindowTruth(json: row)))
    }
    try JSONLines.read(path: Fixtures.path("Windows/predictions.jsonl")) { _, row in
      predictions.append(try WindowPredictions(json: row))
    }
    (self.truth, self.predictions) = (truth, predictions)
  }

  private func figure(_ name: String, of metrics: WindowMetrics) -> Double? {
    metrics.figures.first { $0.name == name }?.value
  }

  @Test func figuresAreThoseOfTheAuthors() throws {
    let metrics = try WindowMetrics(predictions, truth: truth)
    let expected = try JSON.read(path: Fixtures.path("Windows/figures.json"))
    var wanted: [(String, Double?)] = try #require(expected["brief"]?.object).map {
      ($0.key, $0.value.double)
    }
    for length in ["full", "short", "middle", "long"] {
      for (name, key) in [("mAP", "MR-mAP"), ("R1", "MR-R1")] {
        for (threshold, value) in try #require(expected[length]?[key]?.object) {
          let suffix = threshold == "average" ? "" : "@\(threshold)"
          wanted.append(("MR-\(length)-\(name)\(suffix)", value.double))
        }
      }
    }
    #expect(wanted.count == 98)
    for (name, value) in wanted {
      let found = try #require(figure(name, of: metrics), "\(name)")
      // Figures have two decimals, and another order of summing may round the last one differently.
      #expect(abs(found - (try #require(value))) < 0.0101, "\(name)")
    }
    #expect(metrics.unanswered == 0)
    #expect(metrics.unordered > 0)
  }

  /// Ratings of clips beyond the video's end are skipped and counted; the others stay.
  @Test func ratedClipsOutsideOfTheVideo() throws {
    func truth(_ clips: String, _ scores: String) throws -> WindowTruth {
      try #require(
        try WindowTruth(
          json: JSON.parse(
            "{\"qid\": 1, \"relevant_windows\": [[0, 4]], \"duration\": 7.5, \"relevant_clip_ids\": \(clips), "
              + "\"saliency_scores\": \(scores)}")))
    }
    let odd = try truth("[0, 2, 3, 75, -1]", "[[1], [4], [3], [2], [2]]")
    #expect(odd.saliency?.scores == [[1, 0, 4]] && odd.saliency?.outside == 3)
    #expect(WindowTruth.outside([odd])?.hasPrefix("3 rated clips of 1 queries, such as 1,") == true)
    #expect(WindowTruth.outside([try truth("[0, 2]", "[[1], [4]]")]) == nil)
  }

  @Test func recallsAndTheMeanOverlapOfOneWindow() throws {
    let truth = [
      WindowTruth(id: "a", windows: [TimeSpan(start: 0, end: 10), TimeSpan(start: 20, end: 30)]),
      WindowTruth(id: "b", windows: [TimeSpan(start: 5, end: 15)]),
    ]
    let answer = try WindowPredictions(
      json: JSON.parse(#"{"qid": "a", "pred_relevant_windows": [[20, 26, 0.9], [0, 10, 0.8]]}"#))
    let metrics = try WindowMetrics([answer], truth: truth)
    // The first window overlaps 6 of 10 s, and query b has no answer.
    #expect(figure("R1@0.5", of: metrics) == 50)
    #expect(figure("R1@0.7", of: metrics) == 0)
    #expect(figure("R5@0.7", of: metrics) == 50)
    #expect(figure("mIoU", of: metrics) == 30)
    #expect(metrics.unanswered == 1)
    let none = try WindowPredictions(json: ["qid": "b", "pred_relevant_windows": []])
    #expect(try WindowMetrics([answer, none], truth: truth).unanswered == 1)
    #expect(figure("HL-min-Fair-mAP", of: metrics) == nil)
  }

  @Test func aQueryWithoutTruthAndASecondPredictionAreRefused() throws {
    let stranger = try WindowPredictions(json: ["qid": "nobody", "pred_relevant_windows": []])
    #expect(throws: DataError.self) { try WindowMetrics([stranger], truth: truth) }
    #expect(throws: DataError.self) { try WindowMetrics([predictions[0], predictions[0]], truth: truth) }
  }

  @Test(arguments: [
    #"{"relevant_windows": [[0, 1]]}"#, #"{"qid": 1, "relevant_windows": [[3, 1]]}"#,
    #"{"qid": 1, "relevant_windows": []}"#, #"{"qid": 1, "relevant_windows": "0-3"}"#,
    #"{"qid": 1, "relevant_windows": [[0, 2]], "saliency_scores": [[1, 2, 3]]}"#,
    #"{"qid": 1, "relevant_windows": [[0, 2]], "duration": 4, "relevant_clip_ids": ["a"], "saliency_scores": [[1]]}"#,
    #"{"qid": 1, "relevant_windows": [[0, 2]], "duration": 1e300, "relevant_clip_ids": [], "saliency_scores": []}"#,
  ])
  func damagedTruthIsRefused(row: String) throws {
    #expect(throws: DataError.self) { try WindowTruth(json: JSON.parse(row)) }
  }

  @Test(arguments: [
    #"{"pred_relevant_windows": [[0, 1, 0.5]]}"#, #"{"qid": 1, "pred_relevant_windows": [[0]]}"#,
    #"{"qid": 1, "pred_relevant_windows": [[0, 1, 1e999]]}"#, #"{"qid": 1, "pred_relevant_windows": "0-3"}"#,
    #"{"qid": 1, "pred_saliency_scores": []}"#, #"{"qid": 1, "pred_saliency_scores": [null]}"#,
  ])
  func damagedPredictionsAreRefused(row: String) throws {
    #expect(throws: DataError.self) { try WindowPredictions(json: JSON.parse(row)) }
  }
}
