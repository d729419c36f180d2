import Foundation
import TestSupport
import Testing

/// The program among faults of the system, which `Tests/Faults/faults.c` causes: a full disk, a
/// kill in the middle of a write, file systems that lack something, a clock that jumps.
struct Faults {
  /// As `faults.c` names them.
  enum Kind: String { case count, full, kill, readonly, network, clock }

  private let library: String
  private let report: String
  /// What the fault is about.
  let folder: String

  /// Compiles the library that comes between the program and the system.
  /// - Parameters:
  ///   - scratch: for the library.
  ///   - folder: only its files meet the fault; it must exist.
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
  /// - Parameter call: of the calls that change files, the one that the fault begins with.
  func run(_ arguments: [String], _ kind: Kind, call: Int = 0, from current: String) throws -> HeroProcess {
    try HeroProcess(
      arguments: arguments, folder: current,
      environment: [
        "LD_PRELOAD": library, "HERO_FAULT": kind.rawValue, "HERO_FAULT_UNDER": folder,
        "HERO_FAULT_AT": "\(call)", "HERO_FAULT_REPORT": report,
      ])
  }

  /// How many calls change files while the program does this.
  func calls(_ arguments: [String], from current: String) throws -> Int {
    let process = try run(arguments, .count, from: current)
    try #require(process.status == 0, "\(process.errors)")
    let text = try String(contentsOfFile: report, encoding: .utf8)
    return try #require(Int(text.trimmingCharacters(in: .whitespacesAndNewlines)))
  }
}
