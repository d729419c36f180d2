import ArgumentParser
import Bench
import Formats
import Foundation
import Training

extension QualityCurves.Axis: ExpressibleByArgument {}

/// `hero bench curves`: shows what runs measured during training.
struct BenchCurves: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "curves",
    abstract: "Show what runs measured over updates and seconds, as a table and pictures.",
    discussion: """
      Reads the validations that runs wrote for TensorBoard. Runs that differ in nothing but the seed are one line, their \
      mean; each is a thin line beside it. Seconds are those since the training began, with the validations before. \
      Prints tables, or puts them into a page and pictures beside it.

        hero bench curves runs/tvr_77 runs/tvr_2 runs/tvr_3 \\
          --measures VCMR_0.5-r1 VR_r1 --into Docs/Results.md
      """)

  @Argument(help: ArgumentHelp("Folders of runs.", valueName: "folder"), completion: .directory)
  var runs: [String]

  @Option(
    name: .long, parsing: .upToNextOption,
    help: "What is shown, as 'hero eval --json' names it after the last stroke.")
  var measures = ["VCMR_0.5-r1", "VR_r1"]

  @Option(name: .long, parsing: .upToNextOption, help: "What it is shown over.")
  var over = QualityCurves.Axis.allCases

  @Option(
    help: ArgumentHelp(
      "Put the tables between this page's markers, and the pictures beside it.", valueName: "page"))
  var into: String?

  func run() throws {
    for (place, run) in runs.enumerated() {
      if let other = runs[(place + 1)...].first(where: { OutputFile.isSame(run, $0) }) {
        throw UsageError("one run is named twice: \(run) and \(other), which would count double")
      }
    }
    guard !measures.isEmpty, !over.isEmpty, measures.allSatisfy({ !$0.isEmpty && !$0.contains("/") }) else {
      throw UsageError("--measures takes names such as VCMR_0.5-r1, and --over updates, seconds or both")
    }
    let curves = try QualityCurves(runs: runs, measures: measures, axes: over)
    let page = into.map { URL(fileURLWithPath: $0).deletingPathExtension().lastPathComponent } ?? "curves"
    guard let into else { return print(curves.markdown(page: page)) }
    try PageSection(name: "curves", maker: "make quality").write(curves.markdown(page: page), into: into)
    let folder = URL(fileURLWithPath: into).deletingLastPathComponent()
    for (name, svg) in curves.plots(page: page) {
      try AtomicFile.write(svg, to: folder.appendingPathComponent(name).path)
    }
  }
}
