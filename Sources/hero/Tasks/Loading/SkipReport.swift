import Formats
import Synchronization

/// Tells of items that cannot be used: each once, however many epochs come by it. May be shared by threads.
final class SkipReport: Sendable {
  private let onSkip: @Sendable (DataError) -> Void
  private let seen = Mutex<Set<String>>([])

  init(_ onSkip: @escaping @Sendable (DataError) -> Void) {
    self.onSkip = onSkip
  }

  /// - Parameter item: such as `clip 539`, which names the place where the error does not.
  func skip(_ item: String, file: String, _ error: DataError) {
    let isNew = seen.withLock { $0.insert(item).inserted }
    if isNew { onSkip(error.located(file: file, place: item)) }
  }
}
