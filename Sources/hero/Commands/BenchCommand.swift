import ArgumentParser
import Bench
import Engine
import Formats
import Foundation
import Training

extension BenchKind: ExpressibleByArgument {}
extension MomentsPrecision: ExpressibleByArgument {}

/// `hero bench`: times steps, or the work that a subcommand names.
struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract:
      "Time full-size steps (the default), an evaluation, or all as the work grows; or show what runs learnt.",
    subcommands: [BenchSteps.self, BenchEvaluation.self, BenchScaling.self, BenchCurves.self],
    defaultSubcommand: BenchSteps.self)
}

/// `hero bench KIND …`: times full-size steps.
struct BenchSteps: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "steps",
    abstract: "Time one full-size step on a described batch.",
    discussion: """
      Prints one line of JSON a kind: seconds (median), precision, real_tokens, flops, the fraction of the best rate of \
      the device's products measured in the same run, and the peak memory in bytes: a GPU's own, else the process's. \
      queued_seconds tells when the host had asked for all of an update, seconds when it was done.

        hero bench finetune encode caption --batch batch.json
        hero bench --table Benchmarks/history.jsonl --into README.md

      Started by mpirun, 'hero bench finetune' times an update of all processes, each with the batch, and how much of the \
      exchange of gradients hides behind the backward pass.
      """)

  @Argument(help: "What to time.")
  var kinds: [BenchKind] = []

  @Option(file: "JSON of the batch's lengths.")
  var batch: String?

  @Option(help: "Steps to time, after one that is not timed.")
  var steps = 3

  @Option(help: "What an update keeps its two moments in: fp32, or bf16 in half the memory.")
  var momentsPrecision = MomentsPrecision.fp32

  @Option(file: "Also add a line a kind to this history: commit, day, machine, kernels and figures.")
  var record: String?

  @Option(file: "Print the newest figures of a history as a table.")
  var table: String?

  @Option(file: "Put the table between this page's markers.")
  var into: String?

  @OptionGroup var device: DeviceArguments
  @OptionGroup var profile: ProfileArguments

  func run() throws {
    guard steps > 0 else { throw UsageError("--steps must be at least 1") }
    if let table {
      guard kinds.isEmpty, record == nil, batch == nil, steps == 3, momentsPrecision == .fp32,
        profile.profile == nil, !device.isGiven
      else { throw UsageError("--table times nothing; give it alone, or with --into") }
      return try show(table)
    }
    guard into == nil else { throw UsageError("--into needs --table") }
    guard !kinds.isEmpty else {
      throw UsageError("say what to time: " + BenchKind.allCases.map(\.rawValue).joined(separator: ", "))
    }
    if kinds.contains(where: \.trains) { try device.requireTraining() }
    guard momentsPrecision == .fp32 || kinds.allSatisfy(\.trains) else {
      throw UsageError("--moments-precision is of updates: finetune, mlm, mfm-nce, mffr, fom, vsm")
    }
    guard momentsPrecision == .fp32 || record == nil else {
      throw UsageError(
        "--record keeps updates with moments in fp32; leave out --record or --moments-precision")
    }
    guard let batch else { throw UsageError("give --batch, the batch's lengths") }
    // Read before hours of work, so that a file that is not a history fails early.
    if let record, FileManager.default.fileExists(atPath: record) { _ = try BenchRecord.read(path: record) }
    if kinds != [.finetune] { try Processes.requireSole("bench") }
    guard profile.profile == nil || kinds.count == 1 else {
      throw UsageError("--profile takes one kind at a time")
    }
    for kind in kinds {
      let (result, kernels) = try profile.follow(device) { backend in
        let bench = StepBench(
          backend: backend, communicator: Processes.communicator, moments: momentsPrecision)
        return (try bench.run(kind, batch: batch, steps: steps), backend.summary)
      }
      print(result.json.encoded(style: .python))
      if let record {
        try BenchRecord(
          result, kernels: kernels, commit: BenchRecord.commit(in: "."), date: BenchRecord.date,
          machine: BenchRecord.machine
        ).append(to: record)
      }
    }
  }

  private func show(_ history: String) throws {
    let table = try DataError.locating(file: history) { try BenchTable(BenchRecord.read(path: history)) }
    if let into {
      try table.write(into: into)
    } else {
      print(table.markdown, terminator: "")
    }
  }
}
