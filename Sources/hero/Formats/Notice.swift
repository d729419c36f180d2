import Foundation
import Synchronization

/// Lines about a person's files that are reported where they are noticed, however deep that is, and
/// once.
public enum Notice {
  private static let told = Mutex<Set<Name>>([])
  private static let teller = Mutex<@Sendable (String) -> Void> { line in
    try? FileHandle.standardError.write(contentsOf: Data((line.printable + "\n").utf8))
  }

  /// Sets who tells; at first it is standard error.
  public static func setTeller(_ tell: @escaping @Sendable (String) -> Void) {
    teller.withLock { $0 = tell }
  }

  /// Reports a line once.
  /// - Parameter subject: of several lines about one subject only the first is reported; by default
  ///   it is the line.
  public static func tell(_ line: String, about subject: String? = nil) {
    guard told.withLock({ $0.insert(Name(subject ?? line)).inserted }) else { return }
    teller.withLock { $0 }(line)
  }
}
