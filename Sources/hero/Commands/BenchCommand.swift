import ArgumentParser
import Engine
import Training

extension BenchKind: ExpressibleByArgument {}

/// `hero bench`: times full-size steps.
struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Time one full-size step on a described batch.",
    discussion: """
      Prints one line of JSON a kind: seconds (median), precision, real_tokens, flops, the fraction of the best rate of \
      the device's products measured in the same run, and the process's peak memory in bytes.

        hero bench finetune encode caption --batch batch.json

      Started by mpirun, 'hero bench finetune' times an update of all processes, each with the batch, and how much of the \
      exchange of gradients hides behind the backward pass.
      """)

  @Argument(help: "What to time.")
  var kinds: [BenchKind]

  @Option(help: ArgumentHelp("JSON of the batch's lengths.", valueName: "file"))
  var batch: String

  @Option(help: "Steps to time, after one that is not timed.")
  var steps = 3

  @OptionGroup var device: DeviceArguments

  func run() throws {
    guard steps > 0 else { throw UsageError("--steps must be at least 1") }
    if kinds != [.finetune] { try Processes.requireSole("bench") }
    for kind in kinds {
      let backend = try device.open()
      let bench = Bench(backend: backend, communicator: Processes.communicator)
      print(try bench.run(kind, batch: batch, steps: steps).json.encoded(style: .python))
    }
  }
}
