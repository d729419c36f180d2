import Foundation
import TestSupport
import Testing

@Suite(.ownThreads) struct InterruptTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// Returns whether a signal is in a set of the process, such as `SigCgt`, the signals it catches.
  private func isIn(_ set: String, _ signal: Int32, _ process: Process) -> Bool {
    let status =
      (try? String(contentsOfFile: "/proc/\(process.processIdentifier)/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("\(set):") }
    guard let digits = line?.split(separator: "\t").last, let mask = UInt64(digits, radix: 16) else {
      return false
    }
    return mask & (1 << UInt64(signal - 1)) != 0
  }

  @Test(.timeLimit(.minutes(30)), arguments: [SIGINT, SIGTERM])
  func theSecondSignalEndsTheProgramAtOnce(signal: Int32) throws {
    // Nobody writes to the pipe, so the program waits in the middle of its work.
    let pipe = folder.path("run.json")
    try #require(mkfifo(pipe, 0o600) == 0)
    let process = Process()
    process.executableURL = HeroProcess.binary
    process.arguments = [
      "finetune", "--task", "tvr", "--config", pipe, "--output-dir", folder.path("run"),
    ]
    try process.run()
    while process.isRunning, !isIn("SigCgt", signal, process) { usleep(10_000) }
    kill(process.processIdentifier, signal)
    // A second signal would merge with the first while that is still pending.
    while process.isRunning, isIn("ShdPnd", signal, process) { usleep(1_000) }
    #expect(process.isRunning)
    kill(process.processIdentifier, signal)
    process.waitUntilExit()
    #expect(process.terminationReason == .exit)
    #expect(process.terminationStatus == 128 + signal)
    #expect(!FileManager.default.fileExists(atPath: folder.path("run")))
  }
}
