import Formats
import TestSupport
import Testing

@testable import Metrics

struct MetaAverageTests {
  private func recalls(_ values: [(Ranking, Float?, Int, Double)]) -> [Recall] {
    values.map { Recall(ranking: $0.0, type: nil, overlap: $0.1, depth: $0.2, value: $0.3) }
  }

  @Test func figuresOfAllKindsAreAveraged() {
    let moments = recalls([
      (.videoCorpusMoment, 0.5, 1, 90), (.videoCorpusMoment, 0.7, 1, 10), (.videoCorpusMoment, 0.7, 5, 20),
      (.videoCorpusMoment, 0.7, 10, 30), (.videoCorpusMoment, 0.7, 100, 50), (.video, nil, 1, 99),
    ])
    let videos = recalls([(.video, nil, 1, 30), (.video, nil, 5, 60), (.video, nil, 10, 90)])
    let all = MetaAverage([.recalls(moments), .recalls(videos), .accuracy(0.25), .cider(45)])
    #expect(all.percents == [30, 60, 25, 45] && all.value == 40)
    // Retrieval alone counts moments at ranks 1, 5, 10.
    let alone = MetaAverage([.recalls(moments), .recalls(videos)])
    #expect(alone.percents == [20, 60] && alone.value == 40)
    #expect(MetaAverage([]).value == nil)
    // An average with a missing figure is nil, not an average of the others.
    #expect(MetaAverage([.accuracy(0.5), .recalls([])]).value == nil)
    #expect(MetaAverage([.accuracy(0.5)]).value == 50)
  }

  /// VALUE's own averages follow from the scores of its evaluations.
  @Test(.enabled(if: SharedData.valueGolden != nil)) func valuesAverages() throws {
    let folder = try #require(SharedData.valueGolden).path
    let wanted = try JSON.read(path: folder + "/meta_average.json")
    func scores(_ name: String) throws -> [Recall] {
      let scores = try JSON.read(path: "\(folder)/submission.\(name).scores.json")
      let found = Ranking.allCases.flatMap { ranking in
        (ranking.findsMoments ? RetrievalMetrics.overlaps.map(Optional.some) : [nil]).flatMap { overlap in
          RetrievalMetrics.recallDepths.compactMap { depth -> Recall? in
            let recall = Recall(ranking: ranking, type: nil, overlap: overlap, depth: depth, value: 0)
            let value =
              scores[recall.name(prefix: "valid_val")]?.double ?? scores[recall.name(prefix: "valid")]?.double
            return value.map {
              Recall(ranking: ranking, type: nil, overlap: overlap, depth: depth, value: $0)
            }
          }
        }
      }
      return found
    }
    func part(_ name: String) throws -> Double { try #require(wanted["parts"]?[name]?.double) }
    func expect(_ value: Double?, _ name: String) throws {
      #expect(abs(try #require(value) - (try #require(wanted[name]?.double))) < 1e-9, "\(name)")
    }
    let (tvr, yc2r) = (try scores("tvr"), try scores("yc2r"))
    let (tvqa, violin) = (try part("tvqa") / 100, try part("violin") / 100)
    let all = MetaAverage([.recalls(tvr), .recalls(yc2r), .accuracy(tvqa), .accuracy(violin)])
    #expect(abs(try #require(all.percents[0]) - (try part("tvr_all_tasks"))) < 1e-9)
    #expect(abs(try #require(all.percents[1]) - (try part("yc2r"))) < 1e-9)
    try expect(all.value, "all_tasks_trainer")
    try expect(MetaAverage([.accuracy(tvqa), .accuracy(violin)]).value, "qa_trainer")
    try expect(MetaAverage([.recalls(tvr), .recalls(yc2r)]).value, "retrieval_trainer")
  }
}
