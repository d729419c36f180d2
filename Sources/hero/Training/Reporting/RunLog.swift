import Foundation
import Formats
import Synchronization

/// The log of a run, on standard error and with full time stamps in its `log/log.txt`.
///
/// Lines logged before the run has a folder wait for the file. Any thread may write.
public final class RunLog: Sendable {
  /// The level of a line; the raw value stands in the log file, as in Python's `logging`.
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
  /// The number of this process among those that work together.
  private let rank: Int
  private let now: @Sendable () -> Date
  private let state = Mutex(State())

  /// - Parameter rank: the number of this process among those that work together; the first one
  ///   speaks.
  public init(
    console: Console = .standardError, rank: Int = 0, now: @escaping @Sendable () -> Date = { Date() }
  ) {
    self.console = console
    self.rank = rank
    self.now = now
  }

  /// Opens a file and appends the lines so far, then every further line.
  ///
  /// - Throws: `DataError` if the file cannot be written.
  public func attach(path: String) throws {
    try state.withLock { state in
      let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o666)
      guard descriptor >= 0 else { throw DataError.system("write", file: path) }
      state.file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
      state.path = path
      let waiting = state.waiting
      state.waiting = []
      for line in waiting { append(line, &state) }
    }
  }

  /// Writes a line to the console and to the file.
  public func info(_ message: String) { write(message, .info) }
  /// Writes a line of level ``Level/warning``, which begins with "warning:" on the console.
  public func warning(_ message: String) { write(message, .warning) }

  /// Warns about this process's own part of the work, on every rank and not only on the first.
  public func warningOfOwn(_ message: String) {
    guard rank > 0 else { return warning(message) }
    try? FileHandle.standardError.write(
      contentsOf: Data("warning: rank \(rank): \(message.printable)\n".utf8))
  }

  /// Writes a line of level ``Level/error``, which begins with "error:" on the console.
  public func error(_ message: String) { write(message, .error) }

  /// Writes one line; ranks other than the first show it and write no file.
  ///
  /// - Parameter message: control characters are escaped.
  public func write(_ message: String, _ level: Level) {
    let message = message.printable
    let date = now()
    let prefix = level == .info ? "" : "\(level.rawValue.lowercased()): "
    console.print("\(Self.stamp(date, "HH:mm:ss")) \(prefix)\(message)")
    // This is the reference's layout, which users' scripts read.
    let line = "\(Self.stamp(date, "MM/dd/yyyy HH:mm:ss")) - \(level.rawValue) - hero -   \(message)\n"
    guard rank == 0 else { return }
    state.withLock { state in
      if state.file == nil { state.waiting.append(line) } else { append(line, &state) }
    }
  }

  /// Appends a line to the file; if that fails, the log ends with one warning and the run goes on.
  private func append(_ line: String, _ state: inout State) {
    guard let file = state.file else { return }
    do {
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
