import Foundation
import Search
import Synchronization

/// The number of an index's files that are missing or changed, counted once in the background.
final class MissingFiles: Sendable {
  private let found = Mutex<Int?>(nil)

  /// The number of files; nil while they are being counted.
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
