import Foundation
import TestSupport
import Testing

struct InterruptTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// Whether the process catches the signal by now.
  private func catches(_ signal: Int32, _ process: Process) -> Bool {
    let status =
      (try? String(contentsOfFile: "/proc/\(process.processIdentifier)/status", encoding: .utf8)) ?? ""
    guard let match = status.firstMatch(of: /SigCgt:\s*([0-9a-f]+)/), let mask = UInt64(match.1, radix: 16)
    else {
      return false
    }
    return mask & (1 << UInt64(signal - 1)) != 0
  }

  @Test(.timeLimit(.minutes(1)), arguments: [SIGINT, SIGTERM])
  func theSecondSignalEndsTheProgramAtOnce(signal: Int32) throws {
    // Nobody ever writes to the pipe, so that the program waits in the middle of its work.
    let pipe = folder.path("info.pkl")
    try #require(mkfifo(pipe, 0o600) == 0)
    let process = Process()
    process.executableURL = HeroProcess.binary
    process.arguments = [
      "convert-videodb", "--vfeat-info-file", pipe, "--output", folder.path("db"), "--dataset", "tv",
      "--frame-length",
      "2",
    ]
    try process.run()
    while process.isRunning, !catches(signal, process) { usleep(10_000) }
    kill(process.processIdentifier, signal)
    usleep(100_000)
    #expect(process.isRunning)
    kill(process.processIdentifier, signal)
    process.waitUntilExit()
    #expect(process.terminationReason == .exit)
    #expect(process.terminationStatus == 128 + signal)
    #expect(!FileManager.default.fileExists(atPath: folder.path("db")))
  }
}
