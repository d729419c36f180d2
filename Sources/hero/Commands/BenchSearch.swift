import ArgumentParser
import Formats
import Search
import Training

/// `hero bench-search`: times searching in an index of random frames.
struct BenchSearch: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench-search",
    abstract: "Time searching among many videos of random frames.",
    discussion: """
      Writes an index (1.83 kB a frame), opens it, asks it, and prints one line of JSON: seconds to open it and to answer a \
      query from its tokens to its moments (median), memory, and which part of the best videos are those that comparing with \
      every frame finds. The index stays, and is used again by the same command.

        hero bench-search --videos 20000 --frames 100 --output random.index
      """)

  @Option(help: "Videos to make.")
  var videos = 20_000

  @Option(help: "Frames of each.")
  var frames = 100

  @Option(help: "Queries to time.")
  var queries = 20

  @Option(help: "How alike a video's frames are, from 0, the hardest, to below 1.")
  var likeness: DecimalNumber = 0.0

  @Option(help: "Topics that videos are of; half of what a video's frames share is its topic's.")
  var topics = 0

  @Flag(help: "Of CLIP's rows, 512 elements, with its text tower (ViT-B/32's) in place of a trained HERO.")
  var clip = false

  @Option(file: "The index to make.")
  var output: String

  @OptionGroup var device: DeviceArguments

  func run() throws {
    guard videos > 0, frames > 0, queries > 0 else {
      throw UsageError("--videos, --frames and --queries must be at least 1")
    }
    guard (0..<1).contains(Float(likeness.value)) else {
      throw UsageError("--likeness must be from 0 to below 1")
    }
    guard topics >= 0 else { throw UsageError("--topics must not be negative") }
    InterruptHandler.install()
    var work = SearchBench.Work()
    (work.videos, work.frames, work.queries, work.likeness) = (videos, frames, queries, Float(likeness.value))
    work.topics = topics
    work.isCLIP = clip
    let bench = SearchBench(work, path: output, backend: try device.open())
    let result = try ProgressReporter.follow("Writing", total: videos, unit: "videos") {
      try bench.run(progress: $0)
    }
    print(result.encoded(style: .python))
  }
}
