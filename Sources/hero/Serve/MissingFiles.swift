import Foundation
import Search
import Synchronization

/// How many of an index's files are no longer on disk as they were indexed, counted once in the
/// background.
final class MissingFiles: Sendable {
  private let found = Mutex<Int?>(nil)

  /// The number; nil while it is being counted.
  var count: Int? { found.withLock { $0 } }

  init(_ index: IndexFile) {
    let thread = Thread { [weak self] in
      var missing = 0
      for number in 0..<index.count {
        guard self != nil else { return }
        if let file = try? index.video(number).file, file.state != .there {
          missing += 1
        }
      }
      self?.found.withLock { $0 = missing }
    }
    thread.stackSize = 1 << 20
    thread.start()
  }
}
