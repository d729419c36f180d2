import ArgumentParser
import Engine
import Training

/// Where the work of a command is done.
struct DeviceArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Where to compute: \(Device.names.joined(separator: ", ")).", valueName: "device"))
  var device = "auto"

  /// The same for another command.
  var arguments: [String] { device == "auto" ? [] : ["--device", device] }

  /// - Throws: `UsageError` for a name that nobody knows, `EngineError` for a device that this machine lacks.
  func open() throws -> any Backend {
    guard Device.names.contains(device) else {
      throw UsageError(
        "there is no device \"\(device)\"; --device takes \(Device.names.joined(separator: " or "))")
    }
    return try Device.open(device, threads: Processes.threads())
  }
}
