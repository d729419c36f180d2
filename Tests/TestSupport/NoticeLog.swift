import Formats
import Synchronization

/// The log of what `Notice` tells in this process, in place of standard error.
public final class NoticeLog: Sendable {
  /// The log of this process; the first use begins it.
  public static let shared = NoticeLog()

  private let lines = Mutex<[String]>([])

  private init() { Notice.setTeller { line in self.lines.withLock { $0.append(line) } } }

  /// Returns the lines that name a file.
  public func about(_ file: String) -> [String] { lines.withLock { $0.filter { $0.contains(file) } } }
}
