import Formats
import Foundation
import TestSupport
import Testing

@testable import Metrics

/// The reference's results in `golden/expected/eval`, measured against its corpus's annotations.
@Suite
struct GoldenRetrievalTests {
  private let golden: URL

  init() throws { golden = SharedData.golden }

  private func path(_ name: String) -> String { golden.appendingPathComponent(name).path }

  private func expected(_ name: String) throws -> [String: Double] {
    let members = try #require(try JSON.read(path: path("expected/eval/\(name).metrics.json")).object)
    return Dictionary(
      uniqueKeysWithValues: members.compactMap { key, value in value.double.map { (key, $0) } })
  }

  private func truth(_ split: String) throws -> [RetrievalTruth] {
    var truth: [RetrievalTruth] = []
    try JSONLines.read(path: path("corpus/ann/tvr_\(split).jsonl")) { _, row in
      if let query = try RetrievalTruth(annotation: row) { truth.append(query) }
    }
    return truth
  }

  private var suppression: (options: NonMaximumSuppression, threshold: Float) {
    get throws {
      let options = try JSON.read(path: path("expected/options.json"))["eval"]
      let threshold = try #require(options?["nms_thd"]?.double)
      let limit = try #require(options?["max_after_nms"]?.int)
      return (NonMaximumSuppression(threshold: Float(threshold), limit: limit), Float(threshold))
    }
  }

  @Test(arguments: ["val", "test"])
  func metricsAreTheReferences(split: String) throws {
    let results = try RetrievalResults(golden: path("expected/eval/tvr_\(split).results.json"))
    let expected = try expected("tvr_\(split)")
    let truth = try truth(split)
    let metrics = try RetrievalMetrics(results: results, truth: truth, byQueryType: true)
    // The file holds moments after suppression, and videos, which are never suppressed.
    let threshold = try suppression.threshold
    let measured = metrics.recalls.map { recall in
      (
        recall.name(
          prefix: "valid_\(split)", suppression: recall.ranking.findsMoments ? threshold : nil), recall.value
      )
    }
    #expect(measured.count == expected.keys.count { $0.contains("_nms_") || $0.contains("_VR") })
    for (name, value) in measured { #expect(expected[name] == value, "\(name)") }
  }

  @Test(arguments: ["val", "test"])
  func suppressedResultsStayAsTheyAre(split: String) throws {
    let results = try RetrievalResults(golden: path("expected/eval/tvr_\(split).results.json"))
    let again = results.suppressed(by: try suppression.options)
    #expect(again.rankings.count == 2)
    for (ranking, queries) in again.rankings {
      let before = try #require(results.rankings.first { $0.ranking == ranking }?.queries)
      for (query, original) in paired(queries, before) {
        // Rows that score 0 are the reference's padding.
        #expect(query.predictions.filter { $0.score > 0 } == original.predictions.filter { $0.score > 0 })
      }
    }
  }
}
