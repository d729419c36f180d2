import Engine
import Foundation
import FoundationXML
import Formats
import Model
import TestSupport
import Testing

@testable import Bench

/// The cost of the work as it grows, on a small model.
struct ScalingTests {
  @Test func everythingGrows() throws {
    func part(_ layers: Int, vocabulary: Int? = nil) -> TransformerConfiguration {
      TransformerConfiguration(
        hiddenSize: 16, layers: layers, heads: 2, intermediateSize: 32, positions: 200, vocabulary: vocabulary
      )
    }
    let model = ModelConfiguration(
      cross: part(1, vocabulary: 50), temporal: part(1), query: part(0), decoder: part(1), featureWidth: 12)
    var extent = ScalingBench.Extent()
    (extent.batches, extent.lengths, extent.threads) = ([1, 4], [10, 120], [1, 2])
    let series = try ScalingBench(
      extent, model: model, open: { try CPUBackend(threads: $0 ?? 1) }, note: { _ in }
    ).run()
    #expect(series.map(\.axis) == [.batch, .batch, .length, .length, .threads, .threads])
    #expect(series.map(\.name) == ["update", "encode", "update", "encode", "update", "encode"])
    for one in series {
      #expect(one.points.count == 2 && one.points.allSatisfy { $0.seconds > 0 && $0.memory > 0 })
      let operations = one.points.map(\.operations)
      switch one.axis {
      // Packed videos cost the same as alone.
      case .batch: #expect(abs(Double(operations[1]) / Double(operations[0]) - 4) < 0.2, "\(one.name)")
      // Temporal attention makes longer videos cost more than their frames; an update's queries
      // stay the same.
      case .length: #expect(operations[1] > (one.name == "encode" ? 12 : 8) * operations[0], "\(one.name)")
      default: #expect(operations[0] == operations[1])
      }
    }
  }

  /// An update predicted to take too long is skipped and reported, while videos are still encoded.
  @Test func whatTakesTooLongIsLeftOut() throws {
    let model = ModelConfiguration(
      cross: TransformerConfiguration(
        hiddenSize: 16, layers: 1, heads: 2, intermediateSize: 32, positions: 200, vocabulary: 50),
      temporal: TransformerConfiguration(
        hiddenSize: 16, layers: 1, heads: 2, intermediateSize: 32, positions: 200, vocabulary: nil),
      query: TransformerConfiguration(
        hiddenSize: 16, layers: 0, heads: 2, intermediateSize: 32, positions: 200, vocabulary: nil),
      decoder: nil, featureWidth: 12)
    var extent = ScalingBench.Extent()
    (extent.batches, extent.lengths, extent.threads, extent.longest) = ([1, 4], [10, 40], [], 0)
    var notes: [String] = []
    let series = try ScalingBench(
      extent, model: model, open: { try CPUBackend(threads: $0 ?? 1) }, note: { notes.append($0) }
    ).run()
    #expect(series.map(\.points.count) == [1, 2, 1, 2])
    #expect(
      series[0].remarks.count == 1 && series[0].remarks[0].hasPrefix("update of 4 videos, which takes some"))
    #expect(notes.contains { $0.hasPrefix("left out: ") })
    #expect(ScalingReport(series, title: "").markdown(page: "P").contains("\nLeft out: update of 4 videos"))
  }

  private let report: ScalingReport = {
    var batch = ScalingSeries(axis: .batch, name: "update", what: "videos of 60 frames")
    batch.points = [
      .init(value: 1, seconds: 0.5, operations: 100_000_000_000),
      .init(value: 8, seconds: 2.5, operations: 800_000_000_000),
    ]
    var corpus = ScalingSeries(axis: .corpus, name: "query", what: "one query")
    corpus.points = [.init(value: 100, seconds: 0.0123), .init(value: 1_000_000, seconds: 1.5)]
    return ScalingReport([batch, corpus], title: "Here & now.")
  }()

  @Test func theTables() {
    #expect(
      report.markdown(page: "Page") == """
        Here & now.

        ### The batch grows

        Videos of 60 frames.

        ![The batch grows](Page-batch.svg)

        | videos | update | each | GFLOP/s |
        | --- | --- | --- | --- |
        | 1 | 500 ms | 500 ms | 200 |
        | 8 | 2.50 s | 312 ms | 320 |

        ### The corpus grows

        One query.

        ![The corpus grows](Page-corpus.svg)

        | clips | query | each |
        | --- | --- | --- |
        | 100 | 12.3 ms | 123 µs |
        | 1,000,000 | 1.50 s | 1.50 µs |

        """)
  }

  /// Plots are well-formed XML with all points inside, named axes and a style for dark pages.
  @Test func thePlots() throws {
    let plots = report.plots(page: "Page")
    #expect(plots.map(\.name) == ["Page-batch.svg", "Page-corpus.svg"])
    for (_, svg) in plots {
      let reader = SVGReader()
      let parser = XMLParser(data: Data(svg.utf8))
      parser.delegate = reader
      #expect(parser.parse(), "\(parser.parserError.map(String.init(describing:)) ?? "")")
      #expect(reader.circles.count == 2)
      for (x, y) in reader.circles { #expect((60...640).contains(x) && (40...340).contains(y)) }
      #expect(svg.contains("prefers-color-scheme:dark") && svg.contains(">seconds<"))
    }
    #expect(plots[0].svg.contains(">videos<") && plots[1].svg.contains(">1 M<"))
  }
}

private final class SVGReader: NSObject, XMLParserDelegate {
  var circles: [(Double, Double)] = []

  func parser(
    _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
    attributes: [String: String]
  ) {
    guard name == "circle", let x = attributes["cx"].flatMap(Double.init),
      let y = attributes["cy"].flatMap(Double.init)
    else { return }
    circles.append((x, y))
  }
}
