import ArgumentParser
import Bench
import Foundation
import Formats
import Training

/// `hero bench evaluation`: times searching and ranking a split of a corpus's size.
struct BenchEvaluation: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluation",
    abstract: "Time what an evaluation does once queries and videos are encoded.",
    discussion: """
      Makes random encoded videos and queries, ranks videos (VR), moments of all videos (VCMR) and of the query's own \
      (SVMR), suppresses overlapping moments, and prints one line of JSON. The defaults are TVR's validation split at full \
      width.

        hero bench evaluation --queries 10895 --videos 2179 --frames 50
      """)

  @Option(help: "Queries to answer.")
  var queries = EvaluationBench.Work().queries

  @Option(help: "Videos to search among.")
  var videos = EvaluationBench.Work().videos

  @Option(help: "Frames of a video on average; lengths vary from half to one and a half of it.")
  var frames = EvaluationBench.Work().frames

  @Option(
    help: ArgumentHelp(
      "Also write what was ranked (inputs.safetensors) and what was found (results.json, results_nms.json).",
      valueName: "folder"))
  var output: String?

  @OptionGroup var device: DeviceArguments
  @OptionGroup var profile: ProfileArguments

  func run() throws {
    guard queries > 0, videos > 0, frames > 1 else {
      throw UsageError("--queries and --videos must be at least 1, --frames at least 2")
    }
    try Processes.requireSole("bench evaluation")
    if let output, FileManager.default.fileExists(atPath: output) {
      for name in EvaluationBench.files {
        try OutputFile.require(
          "\(output)/\(name)", overwrites: false, cure: "Remove it, or give another --output")
      }
    }
    InterruptHandler.install()
    var work = EvaluationBench.Work()
    (work.queries, work.videos, work.frames) = (queries, videos, frames)
    let result = try profile.follow(device) { backend in
      try ProgressReporter.follow("Ranking", total: queries, unit: "queries") {
        try EvaluationBench(work, backend: backend).run(output: output, progress: $0)
      }
    }
    print(result.encoded(style: .python))
  }
}
