import Foundation
import Synchronization

/// Lines about the user's files, each reported once, from wherever the code notices it.
public enum Notice {
  /// The maximum number of lines about one subject that are reported as they are noticed.
  private static let mostTold = 10

  private static let told = Mutex<Set<Name>>([])
  /// The lines about one subject, kept as hashes because there may be as many as a store has items.
  private struct Lines {
    var seen: Set<Int> = []
    /// The number of lines that were neither reported nor counted in a report.
    var untold = 0
  }
  private static let subjects = Mutex<[Name: Lines]>([:])
  private static let teller = Mutex<@Sendable (String) -> Void> { line in
    try? FileHandle.standardError.write(contentsOf: Data((line.printable + "\n").utf8))
  }

  /// Sets the function that reports lines; the default one writes to standard error.
  public static func setTeller(_ tell: @escaping @Sendable (String) -> Void) {
    teller.withLock { $0 = tell }
  }

  /// Reports a line once.
  /// - Parameter subject: only the first of several lines about one subject is reported; the
  ///   default subject is the line itself.
  public static func tell(_ line: String, about subject: String? = nil) {
    guard told.withLock({ $0.insert(Name(subject ?? line)).inserted }) else { return }
    teller.withLock { $0 }(line)
  }

  /// Reports a line about one of many items, once.
  ///
  /// The first lines of a subject are reported as they are noticed. ``tellRest()`` reports the
  /// number of the others.
  /// - Parameter subject: what the items have in common, such as `late moments of tvr_train.db`.
  public static func tell(_ line: String, among subject: String) {
    let isTold = subjects.withLock { subjects in
      guard subjects[Name(subject), default: Lines()].seen.insert(Name(line).hashValue).inserted else {
        return false
      }
      if subjects[Name(subject), default: Lines()].seen.count <= mostTold { return true }
      subjects[Name(subject), default: Lines()].untold += 1
      return false
    }
    if isTold { teller.withLock { $0 }(line) }
  }

  /// Reports how many lines of each subject were left out since the last call.
  public static func tellRest() {
    let counts = subjects.withLock { subjects in
      defer { for subject in subjects.keys { subjects[subject]?.untold = 0 } }
      return subjects.mapValues(\.untold).filter { $0.value > 0 }
    }
    for (subject, count) in counts.sorted(by: { $0.key < $1.key }) {
      teller.withLock { $0 }("… and \(count) more: \(subject)")
    }
  }
}
