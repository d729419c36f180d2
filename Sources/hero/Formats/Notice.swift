import Foundation
import Synchronization

/// Lines about a person's files that are reported where they are noticed, however deep that is, and
/// once.
public enum Notice {
  /// Lines about one subject that are reported as they are noticed.
  private static let mostTold = 10

  private static let told = Mutex<Set<Name>>([])
  /// Lines of each subject with many items, reported or not.
  private static let counted = Mutex<[Name: Int]>([:])
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

  /// Reports what is odd about one of many items, each line once: the first ones as they are
  /// noticed, the number of the others by ``tellRest()``.
  /// - Parameter subject: what the items have in common, such as `late moments of tvr_train.db`.
  public static func tell(_ line: String, among subject: String) {
    guard told.withLock({ $0.insert(Name(line)).inserted }) else { return }
    let count = counted.withLock { counted in
      counted[Name(subject), default: 0] += 1
      return counted[Name(subject), default: 0]
    }
    if count <= mostTold { teller.withLock { $0 }(line) }
  }

  /// Reports how many lines of each subject were left out so far.
  public static func tellRest() {
    let counts = counted.withLock { counted in
      defer { counted = counted.mapValues { min($0, mostTold) } }
      return counted
    }
    for (subject, count) in counts.sorted(by: { $0.key < $1.key }) where count > mostTold {
      teller.withLock { $0 }("… and \(count - mostTold) more: \(subject)")
    }
  }
}
