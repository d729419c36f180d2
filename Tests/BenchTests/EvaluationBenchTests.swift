import Engine
import Formats
import Foundation
import Metrics
import Model
import TestSupport
import Testing

@testable import Bench

/// Rankings of random videos, checked by formula from the inputs that the bench wrote.
struct EvaluationBenchTests {
  private static let model: ModelConfiguration = {
    var shape = EvaluationBench.headsOnly
    for part in [\ModelConfiguration.cross, \.temporal, \.query] {
      (shape[keyPath: part].hiddenSize, shape[keyPath: part].heads) = (16, 2)
      shape[keyPath: part].intermediateSize = 16
    }
    shape.featureWidth = 12
    return shape
  }()

  @Test func whatItWritesIsWhatItRanked() throws {
    let folder = try TemporaryFolder()
    var work = EvaluationBench.Work()
    (work.queries, work.videos, work.frames) = (60, 7, 8)
    let line = try EvaluationBench(work, backend: try CPUBackend(threads: 2), model: Self.model).run(
      output: folder.path("out"), progress: { _ in })
    #expect(line["queries"] == 60 && line["videos"] == 7)
    #expect(try #require(line["flops"]?.int) > 2 * 60 * 7 * 4 * 16)
    for name in ["seconds", "peak_memory", "encoded_bytes"] {
      #expect(try #require(line[name]?.double) > 0, "\(name)")
    }
    #expect(line["fraction_of_peak"]?.double != nil)
    let file = try SafetensorsFile(path: folder.path("out/inputs.safetensors"))
    func floats(_ name: String) throws -> [Float] {
      try #require(try file.array(named: name)).bytes.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
    }
    let lengths = try #require(try file.array(named: "lengths")).bytes.withUnsafeBytes {
      Array($0.bindMemory(to: Int32.self))
    }
    let (frames, queries) = (try floats("frames"), try floats("queries"))
    #expect(frames.count == 16 * Int(lengths.reduce(0, +)) && queries.count == 16 * 60)
    #expect(line["frames"] == .int(frames.count / 16))
    let results = try RetrievalResults(golden: folder.path("out/results.json"))
    #expect(results.rankings.map(\.ranking) == [.videoCorpusMoment, .singleVideoMoment, .video])
    #expect(results.rankings.allSatisfy { $0.queries.count == 60 })
    // Each query ranks videos by exp(20 · the best frame's cosine).
    for (number, query) in try #require(results[.video]).enumerated() {
      let own = queries[16 * number..<16 * number + 16].map(Double.init)
      var (scores, row): ([Double], Int) = ([], 0)
      for length in lengths {
        let cosines = (row..<row + Int(length)).map { frame -> Double in
          let x = frames[16 * frame..<16 * frame + 16].map(Double.init)
          func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
          return dot(x, own) / (dot(x, x) * dot(own, own)).squareRoot()
        }
        scores.append(20 * (cosines.max() ?? 0))
        row += Int(length)
      }
      let order = scores.indices.sorted { scores[$0] > scores[$1] }
      #expect(query.predictions.map(\.video) == order)
      for prediction in query.predictions {
        #expect(abs(log(Double(prediction.score)) - scores[prediction.video]) < 1e-4)
      }
    }
    let suppressed = try RetrievalResults(golden: folder.path("out/results_nms.json"))
    #expect(suppressed.rankings.map(\.ranking) == [.videoCorpusMoment, .singleVideoMoment])
  }
}
