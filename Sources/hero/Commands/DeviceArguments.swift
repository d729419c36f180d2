import ArgumentParser
import Engine
import Training

/// Where the work of a command is done.
struct DeviceArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Where to compute: \(Device.names.joined(separator: ", ")).", valueName: "device"))
  var device = "auto"

  @Option(
    help: ArgumentHelp(
      "How exactly a GPU computes: \(Precision.allCases.map(\.rawValue).joined(separator: ", ")).",
      valueName: "precision"))
  var precision = "fp32"

  /// The same for another command.
  var arguments: [String] {
    (device == "auto" ? [] : ["--device", device]) + (precision == "fp32" ? [] : ["--precision", precision])
  }

  /// - Throws: `UsageError` for a name that nobody knows, `EngineError` for a device that this machine lacks.
  func open() throws -> any Backend {
    guard Device.isName(device) else {
      throw UsageError(
        "there is no device \"\(device)\"; --device takes \(Device.names.joined(separator: ", "))")
    }
    guard let precision = Precision(rawValue: precision) else {
      let names = Precision.allCases.map(\.rawValue).joined(separator: ", ")
      throw UsageError("there is no precision \"\(precision)\"; --precision takes \(names)")
    }
    let backend = try Device.open(
      device, precision: precision, threads: Processes.threads(), place: Processes.place,
      note: Console.standardError.print)
    let communicator = Processes.communicator
    if communicator.size > 1 {
      try Device.link(backend, among: communicator, note: Console.standardError.print)
    }
    return backend
  }

  /// Of work that only the processor does.
  ///
  /// - Throws: `UsageError` for any other device.
  func checkProcessor(_ work: String) throws {
    guard ["auto", "cpu"].contains(device) else {
      throw UsageError("\(work) on the CPU only; --device takes auto or cpu here")
    }
  }
}
