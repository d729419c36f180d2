import Foundation
import Formats
import Synchronization

/// What a run has to say: on standard error, and with full time stamps in its `log/log.txt`.
///
/// Lines from before the run has a folder wait for the file. Any thread may write.
public final class RunLog: Sendable {
  public enum Level: String, Sendable {
    case info = "INFO"
    case warning = "WARNING"
    case error = "ERROR"
  }

  private struct State {
    var file: FileHandle?
    var path = ""
    var waiting: [String] = []
  }

  private let console: Console
  private let now: @Sendable () -> Date
  private let state = Mutex(State())

  public init(console: Console = .standardError, now: @escaping @Sendable () -> Date = { Date() }) {
    self.console = console
    self.now = now
  }

  /// Writes to a file from here on, after what it holds, beginning with the lines so far.
  ///
  /// - Throws: `DataError` where the file cannot be written.
  public func attach(path: String) throws {
    try state.withLock { state in
      if !FileManager.default.fileExists(atPath: path) {
        guard FileManager.default.createFile(atPath: path, contents: nil) else {
          throw DataError(
            "cannot be written", file: path, cure: "Check the folder's permissions and free space")
        }
      }
      guard let file = FileHandle(forWritingAtPath: path) else {
        throw DataError("cannot be written", file: path, cure: "Check the file's permissions")
      }
      state.file = file
      state.path = path
      let waiting = state.waiting
      state.waiting = []
      for line in waiting { append(line, &state) }
    }
  }

  public func info(_ message: String) { write(message, .info) }
  public func warning(_ message: String) { write(message, .warning) }
  public func error(_ message: String) { write(message, .error) }

  public func write(_ message: String, _ level: Level) {
    let date = now()
    let prefix = level == .info ? "" : "\(level.rawValue.lowercased()): "
    console.print("\(Self.stamp(date, "HH:mm:ss")) \(prefix)\(message)")
    // The reference's layout, which people's scripts read.
    let line = "\(Self.stamp(date, "MM/dd/yyyy HH:mm:ss")) - \(level.rawValue) - hero -   \(message)\n"
    state.withLock { state in
      if state.file == nil { state.waiting.append(line) } else { append(line, &state) }
    }
  }

  /// A log that cannot be written must not end the run, nor fail silently: it is said once.
  private func append(_ line: String, _ state: inout State) {
    guard let file = state.file else { return }
    do {
      try file.seekToEnd()
      try file.write(contentsOf: Data(line.utf8))
    } catch {
      state.file = nil
      console.print("warning: \(state.path): the log ends here (\(error.localizedDescription))")
    }
  }

  private static func stamp(_ date: Date, _ format: String) -> String {
    let formatter = DateFormatter()
    formatter.locale = Locale(identifier: "en_US_POSIX")
    formatter.dateFormat = format
    return formatter.string(from: date)
  }
}
