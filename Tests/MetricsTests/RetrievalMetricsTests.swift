import Formats
import Foundation
import Testing

@testable import Metrics

extension [Recall] {
  /// Returns the value of the recall with the reference's name.
  fileprivate subscript(group: String, name: String) -> Double? {
    first { $0.name(prefix: "valid") == "valid_\(group)/\(group)_\(name)" }?.value
  }
}

@Suite struct RetrievalMetricsTests {
  private func results(_ predictions: [MomentPrediction], ranking: Ranking) -> RetrievalResults {
    RetrievalResults(
      videoIndex: ["a": 0, "b": 1],
      rankings: [(ranking, [QueryPredictions(id: "1", predictions: predictions)])])
  }

  private func recall(
    _ predictions: [MomentPrediction], spans: [TimeSpan], ranking: Ranking = .videoCorpusMoment
  ) throws -> [Recall] {
    try RetrievalMetrics(
      results: results(predictions, ranking: ranking),
      truth: [RetrievalTruth(id: "1", video: "b", spans: spans, type: "vt")], byQueryType: true
    ).recalls
  }

  @Test func countsTheRightMomentOfTheRightVideoOnly() throws {
    let table = try recall(
      [
        MomentPrediction(video: 0, start: 10, end: 20, score: 3),
        MomentPrediction(video: 1, start: 10, end: 16, score: 2),
        MomentPrediction(video: 1, start: 10, end: 20, score: 1),
      ], spans: [TimeSpan(start: 10, end: 20)])
    #expect(table["VCMR", "0.5-r1"] == 0)
    #expect(table["VCMR", "0.5-r5"] == 100)
    #expect(table["VCMR_by_type", "vt-0.7-r5"] == 100)
    #expect(table["VCMR_by_type", "v-0.7-r5"] == nil)
  }

  @Test func ofFourAnnotatorsTwoMustAgree() throws {
    let prediction = [MomentPrediction(video: 1, start: 0, end: 5, score: 1)]
    let one = [
      TimeSpan(start: 0, end: 5), TimeSpan(start: 20, end: 25), TimeSpan(start: 20, end: 25),
      TimeSpan(start: 20, end: 25),
    ]
    let two = [
      TimeSpan(start: 0, end: 5), TimeSpan(start: 0, end: 5), TimeSpan(start: 20, end: 25),
      TimeSpan(start: 20, end: 25),
    ]
    #expect(try recall(prediction, spans: one)["VCMR", "0.5-r1"] == 0)
    #expect(try recall(prediction, spans: two)["VCMR", "0.5-r1"] == 100)
    #expect(
      try recall(prediction, spans: [TimeSpan(start: 20, end: 25), TimeSpan(start: 0, end: 5)])[
        "VCMR", "0.5-r1"] == 100)
  }

  @Test func videoRetrievalNeedsNoSpans() throws {
    let table = try recall([MomentPrediction(video: 1, score: 2)], spans: [], ranking: .video)
    #expect(table["VR", "r1"] == 100)
    #expect(try recall([MomentPrediction(video: 1, score: 2)], spans: []).isEmpty)
  }

  @Test func nothingPastTheHundredthRankCounts() throws {
    let wrong = (0..<100).map { MomentPrediction(video: 0, score: Float(200 - $0)) }
    let table = try recall(wrong + [MomentPrediction(video: 1, score: 1)], spans: [], ranking: .video)
    #expect(table["VR", "r100"] == 0)
  }

  @Test func aQueryWithoutPredictionsIsAMiss() throws {
    let truth = ["1", "2"].map {
      RetrievalTruth(id: QueryID($0), video: "b", spans: [TimeSpan(start: 0, end: 1)])
    }
    let metrics = try RetrievalMetrics(
      results: results([MomentPrediction(video: 1, start: 0, end: 1, score: 1)], ranking: .singleVideoMoment),
      truth: truth, byQueryType: false)
    #expect(metrics.recalls["SVMR", "0.5-r1"] == 50)
  }

  @Test func refusesAnswersToUnknownQueriesAndUnknownVideos() throws {
    let results = results([], ranking: .video)
    #expect(throws: DataError.self) {
      try RetrievalMetrics(
        results: results, truth: [RetrievalTruth(id: "9", video: "a", spans: [])], byQueryType: false)
    }
    #expect(throws: DataError.self) {
      try RetrievalMetrics(
        results: results, truth: [RetrievalTruth(id: "1", video: "c", spans: [])], byQueryType: false)
    }
  }

  /// Values from Python's `round(n / d * 100, 2)`.
  private static let rounded: [(Double, Double, Double)] = [
    (1, 3, 33.33), (2, 3, 66.67), (1, 800, 0.12), (3, 800, 0.38), (1, 1, 100), (0, 7, 0), (5, 32, 15.62),
    (107, 4000, 2.67), (201, 20000, 1),
  ]

  @Test(arguments: rounded) func roundsAsPython(right: Double, total: Double, percentage: Double) {
    #expect(Recall.percentage(right / total) == percentage)
  }

  @Test func readsAnnotations() throws {
    let row = try JSON.parse(#"{"desc_id": 7, "vid_name": "x", "ts": [1, 2.5], "type": "v"}"#)
    let truth = try #require(try RetrievalTruth(annotation: row))
    #expect(truth == RetrievalTruth(id: "7", video: "x", spans: [TimeSpan(start: 1, end: 2.5)], type: "v"))
    let several = try JSON.parse(#"{"desc_id": "q", "vid_name": "x", "ts": [[0, 5], [5, 10]]}"#)
    #expect(
      try RetrievalTruth(annotation: several)?.spans == [
        TimeSpan(start: 0, end: 5), TimeSpan(start: 5, end: 10),
      ])
    let video = try JSON.parse(#"{"sen_id": 3, "vid_name": "x"}"#)
    #expect(try RetrievalTruth(annotation: video)?.spans.isEmpty == true)
    let hidden = try JSON.parse(#"{"desc_id": 3, "desc": "…"}"#)
    #expect(try RetrievalTruth(annotation: hidden) == nil)
    for bad in [#"{"vid_name": "x"}"#, #"{"desc_id": 1, "vid_name": "x", "ts": "1-2"}"#, "[]"] {
      #expect(throws: DataError.self) { try RetrievalTruth(annotation: try JSON.parse(bad)) }
    }
  }
}
