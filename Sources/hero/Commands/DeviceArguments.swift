import ArgumentParser
import Engine
import Training

/// The device that does the work of a command.
struct DeviceChoice: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Where to compute: \(Device.names.joined(separator: ", ")).", valueName: "device"))
  var device = "auto"

  /// Refuses any device but the CPU for work that only the CPU does.
  ///
  /// - Throws: `UsageError` for any other device.
  func checkProcessor(_ work: String) throws {
    guard ["auto", "cpu"].contains(device) else {
      throw UsageError("\(work) on the CPU only; --device takes auto or cpu here")
    }
  }
}

/// The device and the precision of a command's work.
struct DeviceArguments: ParsableArguments {
  @OptionGroup var choice: DeviceChoice

  @Option(
    help: ArgumentHelp(
      "How exactly it is computed: \(Self.precisions); auto is bf16 where the device multiplies in it, else fp32; int8 does not train.",
      valueName: "precision"))
  var precision = "fp32"

  private static let precisions = (Precision.allCases.map(\.rawValue) + ["auto"]).joined(separator: ", ")

  private var device: String { choice.device }

  /// Whether the user gave a device or a precision.
  var isGiven: Bool { !arguments.isEmpty }

  /// The same choice as flags for another command.
  var arguments: [String] {
    (device == "auto" ? [] : ["--device", device]) + (precision == "fp32" ? [] : ["--precision", precision])
  }

  /// Opens the device.
  ///
  /// - Throws: `UsageError` for an unknown name, `EngineError` for a device that this machine
  ///   lacks.
  func open() throws -> any Backend {
    guard Device.isName(device) else {
      throw UsageError(
        "there is no device \"\(device)\"; --device takes \(Device.names.joined(separator: ", "))")
    }
    let backend = try Device.open(
      device, precision: try chosenPrecision(), threads: Processes.threads(), place: Processes.place)
    let communicator = Processes.communicator
    if communicator.size > 1 {
      try Device.link(backend, among: communicator, note: Console.standardError.print)
    }
    return backend
  }

  /// Refuses a precision that does not train.
  ///
  /// - Throws: `UsageError` for such a precision.
  func requireTraining() throws { try chosenPrecision()?.requireTraining() }

  /// Returns the precision that the user chose; nil to let the device choose.
  ///
  /// - Throws: `UsageError` for an unknown name.
  func chosenPrecision() throws -> Precision? {
    if precision == "auto" { return nil }
    guard let known = Precision(rawValue: precision) else {
      throw UsageError("there is no precision \"\(precision)\"; --precision takes \(Self.precisions)")
    }
    return known
  }
}
