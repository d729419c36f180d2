import Foundation
import TestSupport
import Testing

/// The program under system faults that `Tests/Faults/faults.c` causes.
///
/// They are a full disk, a kill during a write, limited file systems and a clock that jumps.
struct Faults {
  /// The kinds of faults, as `faults.c` names them.
  enum Kind: String { case count, full, kill, readonly, network, clock }

  private let library: String
  private let report: String
  /// The folder whose files meet the fault.
  let folder: String

  /// Compiles the library that intercepts the program's system calls.
  /// - Parameters:
  ///   - scratch: the folder of the library.
  ///   - folder: the only folder whose files meet the fault; it must exist.
  init(scratch: TemporaryFolder, folder: String) throws {
    library = scratch.path("faults.so")
    report = scratch.path("calls.txt")
    self.folder = folder
    let source = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("Faults/faults.c").path
    let compiler = try HeroProcess(
      executable: URL(fileURLWithPath: "/usr/bin/env"),
      arguments: [
        "cc", "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o", library, source, "-ldl",
      ])
    try #require(compiler.status == 0, "\(compiler.errors)")
  }

  /// Runs the program with a fault.
  /// - Parameter call: the number of the call at which the fault begins, among those that change
  ///   files.
  func run(_ arguments: [String], _ kind: Kind, call: Int = 0, from current: String) throws -> HeroProcess {
    try HeroProcess(
      arguments: arguments, folder: current,
      environment: [
        "LD_PRELOAD": library, "HERO_FAULT": kind.rawValue, "HERO_FAULT_UNDER": folder,
        "HERO_FAULT_AT": "\(call)", "HERO_FAULT_REPORT": report,
      ])
  }

  /// Returns the number of calls by which a command changes files.
  func calls(_ arguments: [String], from current: String) throws -> Int {
    let process = try run(arguments, .count, from: current)
    try #require(process.status == 0, "\(process.errors)")
    let text = try String(contentsOfFile: report, encoding: .utf8)
    return try #require(Int(text.trimmingCharacters(in: .whitespacesAndNewlines)))
  }
}
