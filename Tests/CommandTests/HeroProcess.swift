import Foundation

/// One run of the built program.
struct HeroProcess {
  let status: Int32
  let output: String
  let errors: String

  /// Runs `hero` and waits for it.
  init(_ arguments: String..., folder: String = NSTemporaryDirectory()) throws {
    try self.init(arguments: arguments, folder: folder)
  }

  /// - Parameters:
  ///   - executable: the program to start, such as a launcher of hero.
  ///   - environment: variables added to this process's own.
  init(
    executable: URL = Self.binary, arguments: [String], folder: String = NSTemporaryDirectory(),
    environment: [String: String] = [:]
  ) throws {
    let process = Process()
    process.executableURL = executable
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.currentDirectoryURL = URL(fileURLWithPath: folder)
    let (output, errors) = (Pipe(), Pipe())
    process.standardOutput = output
    process.standardError = errors
    try process.run()
    // A thread drains standard error in parallel: a full pipe would block the program.
    let collected = Collected()
    let reader = Thread { collected.finish(errors.fileHandleForReading.readDataToEndOfFile()) }
    reader.start()
    self.output = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    self.errors = String(decoding: collected.wait(), as: UTF8.self)
    status = process.terminationStatus
  }

  /// The program, which the build puts beside the test bundle.
  static var binary: URL {
    var folder = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath()
    while folder.path != "/" {
      let candidate = folder.appendingPathComponent("hero")
      var isFolder: ObjCBool = false
      if FileManager.default.fileExists(atPath: candidate.path, isDirectory: &isFolder), !isFolder.boolValue {
        return candidate
      }
      folder.deleteLastPathComponent()
    }
    return URL(fileURLWithPath: "hero")
  }
}

/// Bytes that another thread reads.
private final class Collected: @unchecked Sendable {
  private let done = DispatchSemaphore(value: 0)
  private var bytes = Data()

  func finish(_ bytes: Data) {
    self.bytes = bytes
    done.signal()
  }

  func wait() -> Data {
    done.wait()
    return bytes
  }
}
