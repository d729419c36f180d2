import Formats
import Synchronization

/// Says which items are left out: the first by name, the others by their number, so that they do not flood the log.
final class SkippedItems: Sendable {
  private let log: RunLog
  private let count = Atomic<Int>(0)
  private static let named = 5

  init(log: RunLog) { self.log = log }

  func callAsFunction(_ error: DataError) {
    let number = count.add(1, ordering: .relaxed).newValue
    if number <= Self.named { log.warning("left out: \(error)") }
    if number > Self.named, number & (number - 1) == 0 { log.warning("\(number) items left out so far") }
  }
}
