import Formats
import Foundation

/// A record of a bench's history: what was timed, when, at which commit and on which machine.
public struct BenchRecord: Equatable, Sendable {
  /// The timed program: `hero`, or another program that does the same work.
  package var program = "hero"
  /// The abbreviated commit of the sources; `-dirty` follows if the working tree has changes.
  package var commit: String
  /// The date, such as 2026-01-31.
  package var date: String
  package var machine: String
  /// The device with its kernels, in the device's own description.
  package var kernels: String
  package var kind: BenchKind
  package var seconds: Double
  /// The fraction of the device's peak rate of matrix products; nil if not measured.
  package var fractionOfPeak: Double?
  /// The peak memory in bytes; nil if not measured.
  package var peakMemory: Int?
  package var precision: String

  /// Makes the record of a measurement.
  package init(_ result: StepBench.Result, kernels: String, commit: String, date: String, machine: String) {
    self.commit = commit
    self.date = date
    self.machine = machine
    self.kernels = kernels
    kind = result.kind
    seconds = result.seconds
    fractionOfPeak = Double(result.operations) / result.seconds / result.peak
    peakMemory = result.peakMemory
    precision = result.precision.rawValue
  }

  /// - Throws: `DataError`, without a file name, if the JSON is not a record.
  package init(json: JSON) throws {
    func text(_ key: String) throws -> String {
      guard let text = json[key]?.string else {
        throw DataError("\"\(key)\" is missing or no text", cure: "Correct the line or remove it")
      }
      return text
    }
    guard let kind = BenchKind(rawValue: try text("kind")) else {
      throw DataError(
        "\"kind\" is none of \(BenchKind.allCases.map(\.rawValue).joined(separator: ", "))",
        cure: "Correct the line or remove it")
    }
    guard let seconds = json["seconds"]?.double, seconds > 0, seconds.isFinite else {
      throw DataError("\"seconds\" is not a time", cure: "Correct the line or remove it")
    }
    (self.kind, self.seconds) = (kind, seconds)
    program = try text("program")
    commit = try text("commit")
    date = try text("date")
    machine = try text("machine")
    kernels = try text("kernels")
    precision = try text("precision")
    fractionOfPeak = json["fraction_of_peak"]?.double
    peakMemory = json["peak_memory"]?.int
  }

  package var json: JSON {
    var object: JSONObject = [
      "program": .string(program), "commit": .string(commit), "date": .string(date),
      "machine": .string(machine), "kernels": .string(kernels), "kind": .string(kind.rawValue),
      "seconds": .double((seconds * 100_000).rounded() / 100_000), "precision": .string(precision),
    ]
    if let fractionOfPeak { object["fraction_of_peak"] = .double((fractionOfPeak * 1000).rounded() / 1000) }
    if let peakMemory { object["peak_memory"] = .int(peakMemory) }
    return .object(object)
  }
}

extension BenchRecord {
  /// Reads all records of a file, in file order.
  public static func read(path: String) throws -> [BenchRecord] {
    var records: [BenchRecord] = []
    try JSONLines.read(path: path) { _, line in records.append(try BenchRecord(json: line)) }
    return records
  }

  /// Appends a record to a file and creates the file if it does not exist.
  package func append(to path: String) throws {
    let before = FileManager.default.fileExists(atPath: path) ? try FileBytes.read(path: path) : []
    let isWhole = before.isEmpty || before.last == UInt8(ascii: "\n")
    let line = (isWhole ? "" : "\n") + json.encoded(style: .python) + "\n"
    let file = try AtomicFile(path: path)
    try file.write(before)
    try file.write(line)
    try file.commit()
  }
}

extension BenchRecord {
  /// Returns the commit of the sources in a folder, from `git`; `unknown` if there is none.
  package static func commit(in folder: String) -> String {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [
      "git", "-C", folder, "describe", "--always", "--dirty", "--abbrev=10", "--exclude=*",
    ]
    let output = Pipe()
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    guard (try? process.run()) != nil else { return "unknown" }
    let bytes = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    let name = String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    return process.terminationStatus == 0 && !name.isEmpty ? name : "unknown"
  }

  /// The processor's name and its number of cores.
  package static var machine: String {
    let information = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
    let name = information.split(separator: "\n").first { $0.hasPrefix("model name") }?
      .split(separator: ":", maxSplits: 1).last.map { $0.trimmingCharacters(in: .whitespaces) }
    return "\(name ?? "unknown processor"), \(ProcessInfo.processInfo.activeProcessorCount) cores"
  }

  /// Today's date, such as 2026-01-31.
  package static var date: String { Date().formatted(.iso8601.year().month().day()) }
}
