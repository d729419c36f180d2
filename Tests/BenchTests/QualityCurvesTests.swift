import Formats
import Foundation
import TestSupport
import Testing

@testable import Bench

/// The measures of runs over the course of training.
struct QualityCurvesTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func run(_ seed: Int, rate: Double = 1e-3, _ values: [Int: Double]) throws -> String {
    let path = folder.path("run\(seed)_\(rate)")
    try OutputFolder.make(path)
    let events = try EventWriter(folder: "\(path)/log")
    let settings: JSON = [
      "seed": .int(seed), "output_dir": .string(path), "learning_rate": .double(rate), "precision": "bf16",
    ]
    try AtomicFile.write(settings.encoded(), to: "\(path)/log/hps.json")
    for (step, value) in values.sorted(by: { $0.key < $1.key }) {
      try events.scalar("loss/tvr", 100 - value, step: step)
      try events.scalar("valid_val_VR/VR_r1", value, step: step)
      try events.scalar("valid_val_VCMR_nms_0.5/VCMR_0.5-r1", 99, step: step)
      try events.scalar("valid_val_VCMR/VCMR_0.5-r1", value / 2, step: step)
    }
    try events.flush()
    return path
  }

  @Test func seedsAreOneLine() throws {
    let runs = [
      try run(1, [100: 10, 200: 30, 300: 40]), try run(2, [100: 20, 200: 40]),
      try run(1, rate: 2e-3, [100: 8, 200: 16]),
    ]
    let curves = try QualityCurves(runs: runs, measures: ["VCMR_0.5-r1", "VR_r1"], axes: [.updates])
    #expect(
      curves.markdown(page: "Page") == """
        ![Page-VCMR_0.5-r1-updates.svg](Page-VCMR_0.5-r1-updates.svg)

        ![Page-VR_r1-updates.svg](Page-VR_r1-updates.svg)

        learning_rate 0.001, 2 runs, mean (least to most):

        | updates | VCMR_0.5-r1 | VR_r1 |
        | --- | --- | --- |
        | 100 | 7.5 (5.0 to 10.0) | 15.0 (10.0 to 20.0) |
        | 200 | 17.5 (15.0 to 20.0) | 35.0 (30.0 to 40.0) |

        learning_rate 0.002, 1 run, mean (least to most):

        | updates | VCMR_0.5-r1 | VR_r1 |
        | --- | --- | --- |
        | 100 | 4.0 | 8.0 |
        | 200 | 8.0 | 16.0 |

        """)
    let plots = curves.plots(page: "Page")
    #expect(plots.map(\.name) == ["Page-VCMR_0.5-r1-updates.svg", "Page-VR_r1-updates.svg"])
    for (_, svg) in plots {
      // Two thin lines and two means have two points each; the means' points are marked.
      #expect(svg.components(separatedBy: "opacity").count == 3)
      #expect(svg.components(separatedBy: "<path class=\"l").count == 5)
      #expect(svg.components(separatedBy: "<circle").count == 5)
      #expect(!svg.contains("class=\"d\"") && svg.contains(">updates<") && svg.contains(">0<"))
      #expect(svg.contains(">learning_rate 0.001<"))
    }
    #expect(try QualityCurves(runs: runs, measures: ["VR_r1"]).plots(page: "P").count == 2)
    #expect(
      try QualityCurves(runs: runs, measures: ["VR_r1"]).markdown(page: "P").contains("| updates | seconds |")
    )
  }

  @Test func whatIsNoRunIsRefused() throws {
    let one = try run(1, [100: 10])
    #expect(throws: DataError.self) { try QualityCurves(runs: [one], measures: ["SVMR_0.5-r1"]) }
    #expect(throws: DataError.self) { try QualityCurves(runs: [folder.path("none")], measures: ["VR_r1"]) }
  }
}
