import ArgumentParser
import Engine
import Formats
import Training

/// `--profile`: shows where a command's time goes.
struct ProfileArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Write a trace of the device's operations (JSON for chrome://tracing or Perfetto), and show a table of them.",
      valueName: "file"))
  var profile: String?

  /// Runs work on a device and reports the time of its operations, even if the work fails or stops.
  ///
  /// Of several processes, the first reports.
  func follow<Result>(_ device: DeviceArguments, _ work: (any Backend) throws -> Result) throws -> Result {
    if let profile, Processes.communicator.isFirst {
      try OutputFile.require(profile, overwrites: false, cure: "Remove it, or give another name")
    }
    let backend = try device.open()
    guard let profile, Processes.communicator.isFirst else { return try work(backend) }
    let profiled = ProfiledBackend(backend)
    let result = Swift.Result { try work(profiled) }
    let report = ProfileReport(profiled)
    Console.standardError.print(report.table.rendered())
    try report.write(to: profile)
    return try result.get()
  }
}
