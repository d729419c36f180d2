import Formats
import Foundation
import Synchronization

/// An output for lines and, on a terminal, one status line that stays below them.
public final class Console: Sendable {
  /// Standard error, for progress and messages; standard output holds results only.
  public static let standardError = Console(
    isTerminal: isatty(STDERR_FILENO) == 1 && ProcessInfo.processInfo.environment["TERM"] != "dumb",
    width: { terminalWidth(STDERR_FILENO) }
  ) { text in
    guard !isQuiet.load(ordering: .relaxed) else { return }
    // A reader that has gone is no reason to stop.
    try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
  }

  private static let isQuiet = Atomic<Bool>(false)

  /// Silences standard error from here on: of several processes that work together, one speaks.
  public static func quietStandardError() { isQuiet.store(true, ordering: .relaxed) }

  /// Whether a status line may be drawn.
  public let isTerminal: Bool
  private let width: @Sendable () -> Int
  private let write: @Sendable (String) -> Void
  private let status = Mutex("")

  /// - Parameters:
  ///   - width: returns the columns of the terminal.
  ///   - write: writes text unchanged; called by one thread at a time.
  public init(
    isTerminal: Bool, width: @escaping @Sendable () -> Int, write: @escaping @Sendable (String) -> Void
  ) {
    self.isTerminal = isTerminal
    self.width = width
    self.write = write
  }

  /// Shows a line above the status line.
  public func print(_ line: String) {
    let line = line.printable
    status.withLock { status in
      write(status.isEmpty ? "\(line)\n" : "\(Self.eraseLine)\(line)\n\(status)")
    }
  }

  /// Replaces the status line, or removes it if `line` is empty; does nothing without a terminal.
  public func show(status line: String) {
    guard isTerminal else { return }
    // A line that wraps cannot be erased.
    let fitting = String(line.printable.prefix(max(width() - 1, 1)))
    status.withLock { status in
      guard status != fitting else { return }
      status = fitting
      write(Self.eraseLine + fitting)
    }
  }

  private static let eraseLine = "\r\u{1B}[2K"

  private static func terminalWidth(_ descriptor: Int32) -> Int {
    var size = winsize()
    guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
    return Int(size.ws_col)
  }
}
