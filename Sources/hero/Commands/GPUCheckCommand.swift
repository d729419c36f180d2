import ArgumentParser
import Bench
import Engine
import Formats
import Foundation
import Training

/// `hero gpu-check`: checks that a GPU computes the same as the CPU.
struct GPUCheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "gpu-check",
    abstract: "Hold the GPU against the CPU: every operation with its gradients, and 50 updates of a model.",
    discussion: """
      Prints a table to standard error and JSON to standard output. The exit status is 1 where something is further from the \
      CPU's answer than the precision explains. NCCL is called with one rank, where it is there.
      """)

  @Option(help: "The GPU's number.")
  var gpu = 0

  @Option(help: "Precisions to check, with commas between them; by default all that the GPU has.")
  var precisions: String?

  @Option(help: "How much work operations are given; small is for sanitizers and emulations.")
  var size = DeviceCheck.Size.full

  func run() throws {
    guard gpu >= 0 else { throw UsageError("--gpu must be 0 or more") }
    let cpu = try Device.open("cpu")
    var (passes, runs): (Bool, [JSON]) = (true, [])
    for precision in try chosen() {
      let device: any Backend
      do {
        device = try Device.open("cuda:\(gpu)", precision: precision)
      } catch let error as EngineError where precisions == nil && precision != .fp32 {
        Console.standardError.print("\(precision.rawValue) is not checked: \(error)")
        continue
      }
      Console.standardError.print(device.summary)
      try Device.link(device, among: SoleCommunicator.shared) { _ in
        Console.standardError.print("NCCL is not there (see `hero devices`), and is not checked")
      }
      if let link = device.link { Console.standardError.print(link.summary) }
      let rows = DeviceCheck(device: device, cpu: cpu, size: size).run { row in
        Console.standardError.print(Self.line(row))
      }
      passes = passes && rows.allSatisfy { $0.passes }
      runs.append(
        .object([
          "device": .string(device.summary), "precision": .string(precision.rawValue),
          "peak_memory": .int(device.memory.peak), "rows": .array(rows.map(\.json)),
        ]))
    }
    print(JSON.object(["passes": .bool(passes), "runs": .array(runs)]).encoded(style: .python))
    if !passes { throw ExitCode(1) }
  }

  private func chosen() throws -> [Precision] {
    try precisions.map { list in
      try list.split(separator: ",").map { name in
        guard let precision = Precision(rawValue: String(name)) else {
          throw UsageError("there is no precision \"\(name)\"")
        }
        return precision
      }
    } ?? Precision.allCases.filter { $0 != .int8 }
  }

  private static func line(_ row: DeviceCheck.Row) -> String {
    let name = row.name.padding(toLength: 34, withPad: " ", startingAt: 0)
    return String(
      format: "%@ %@ error %.1e of %.1e  %9.3f ms, CPU %9.3f ms", row.passes ? "ok  " : "FAIL", name,
      row.error,
      row.tolerance, row.seconds.device * 1000, row.seconds.cpu * 1000)
  }
}

extension DeviceCheck.Size: ExpressibleByArgument {}
