import ArgumentParser
import Bench
import Engine
import Formats
import Foundation
import Search
import Training

/// `hero bench scaling`: times the work as it grows.
struct BenchScaling: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "scaling",
    abstract: "Time updates, encodings and searches as batch, videos, threads and corpus grow.",
    discussion: """
      Full-size updates and encodings of batches of 1 to 64 videos, of videos of 10 to 400 frames, and with one to all \
      threads; then queries in an index of random clips of ten frames (16 kB a clip on the disk), which grows. What does \
      not fit into memory or on the disk is left out and told. Prints tables, or puts them into a page and plots beside it.

        hero bench scaling --into Docs/Performance.md
      """)

  @Option(name: .long, parsing: .upToNextOption, help: "Videos of a batch.")
  var batches = ScalingBench.Extent().batches

  @Option(name: .long, parsing: .upToNextOption, help: "Frames of a video.")
  var lengths = ScalingBench.Extent().lengths

  @Option(
    name: .long, parsing: .upToNextOption, help: "Numbers of threads; by default one, two, four … and all.")
  var threads: [Int] = []

  @Option(name: .long, parsing: .upToNextOption, help: "Clips of the corpora that are searched.")
  var clips = [100, 1000, 10_000, 100_000, 1_000_000]

  @Option(help: "Seconds that an update may take; longer ones, as the smaller ones tell, are left out.")
  var longest = DecimalNumber(ScalingBench.Extent().longest)

  @Option(
    help: ArgumentHelp("Where the index of clips is made; it is removed afterwards.", valueName: "folder"))
  var scratch = NSTemporaryDirectory()

  @Option(
    help: ArgumentHelp(
      "Put the tables between this page's markers, and the plots beside it.", valueName: "page"))
  var into: String?

  @OptionGroup var device: DeviceArguments

  /// The number of frames in a clip of the corpora.
  private static let clipFrames = 10

  func run() throws {
    guard (batches + lengths + threads + clips).allSatisfy({ $0 > 0 }) else {
      throw UsageError("--batches, --lengths, --threads and --clips must be at least 1")
    }
    guard longest.value > 0 else { throw UsageError("--longest must be above 0") }
    try Processes.requireSole("bench scaling")
    try device.choice.checkProcessor("scaling is measured")
    try device.requireTraining()
    InterruptHandler.install()
    var extent = ScalingBench.Extent()
    (extent.batches, extent.lengths) = (batches.sorted(), lengths.sorted())
    extent.longest = longest.value
    let all = Processes.threads() ?? ProcessInfo.processInfo.activeProcessorCount
    extent.threads = threads.isEmpty ? Self.doublings(to: all) : threads.sorted()
    let note = { (line: String) in
      Console.standardError.print(line)
      try InterruptHandler.check()
    }
    let precision = try device.chosenPrecision()
    let sample = try Device.open("cpu", precision: precision)
    var series = try ScalingBench(
      extent, open: { try Device.open("cpu", precision: precision, threads: $0 ?? Processes.threads()) },
      note: note
    ).run()
    series.append(try corpus(note))
    let report = ScalingReport(
      series,
      title:
        "Commit `\(BenchRecord.commit(in: "."))`, \(BenchRecord.date), \(BenchRecord.machine), \(sample.summary), \(sample.precision.rawValue); medians."
    )
    let page = into.map { URL(fileURLWithPath: $0).deletingPathExtension().lastPathComponent } ?? "scaling"
    guard let into else { return print(report.markdown(page: page), terminator: "") }
    try PageSection(name: "scaling", maker: "make performance").write(report.markdown(page: page), into: into)
    let folder = URL(fileURLWithPath: into).deletingLastPathComponent()
    for (name, svg) in report.plots(page: page) {
      try AtomicFile.write(svg, to: folder.appendingPathComponent(name).path)
    }
  }

  /// Returns 1, 2, 4 … and the last number.
  private static func doublings(to last: Int) -> [Int] {
    Array(sequence(first: 1) { $0 * 2 < last ? $0 * 2 : nil }) + (last > 1 ? [last] : [])
  }

  /// Times a query, from its tokens to moments, in an index that grows.
  private func corpus(_ note: (String) throws -> Void) throws -> ScalingSeries {
    var series = ScalingSeries(
      axis: .corpus, name: "query", what: "clips of \(Self.clipFrames) frames, one query")
    let folder = URL(fileURLWithPath: scratch).appendingPathComponent("hero-scaling-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    var work = SearchBench.Work()
    (work.frames, work.queries, work.compared) = (Self.clipFrames, 5, 0)
    let backend = try Device.open(
      "cpu", precision: try device.chosenPrecision(), threads: Processes.threads())
    for count in clips.sorted() {
      do {
        // Twice the index's size leaves room for other programs' files.
        try DiskSpace.require(
          2 * 1700 * Self.clipFrames * count, in: folder.path, for: "an index of \(count) clips")
      } catch let error as DataError {
        series.remarks.append("\(ScalingReport.grouped(count)) clips: \(error.problem)")
        try note("\(count) clips: left out; \(error)")
        break
      }
      work.videos = count
      let path = folder.appendingPathComponent("clips.index").path
      let result = try SearchBench(work, path: path, backend: backend).run { _ in try InterruptHandler.check()
      }
      let seconds = result["query_seconds"]?.double ?? 0
      series.points.append(
        .init(value: count, seconds: seconds, memory: result["private_memory"]?.int ?? 0))
      try note(String(format: "query among %d clips: %.4f s", count, seconds))
    }
    return series
  }
}
