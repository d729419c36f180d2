import Formats
import Synchronization

/// A report of unusable items, each once over all epochs; threads may share it.
public final class SkipReport: Sendable {
  private let onSkip: @Sendable (_ error: DataError, _ count: Int) -> Void
  private let seen = Mutex<Set<Name>>([])
  private let items = Mutex<Set<Name>>([])

  /// - Parameter onSkip: called for each item, with the number of items so far.
  public init(_ onSkip: @escaping @Sendable (_ error: DataError, _ count: Int) -> Void = { _, _ in }) {
    self.onSkip = onSkip
  }

  /// The number of a loader's items that cannot be used, not counting parts of items.
  var itemCount: Int { items.withLock { $0.count } }

  /// - Parameters:
  ///   - item: such as `clip 539`; it names the place where the error does not.
  ///   - isPart: whether the rest of the loader's item can be used.
  public func skip(_ item: String, file: String, _ error: any Error, isPart: Bool = false) {
    if !isPart { items.withLock { _ = $0.insert(Name(item)) } }
    let count = seen.withLock { seen in seen.insert(Name(item)).inserted ? seen.count : nil }
    guard let count else { return }
    let error = error as? DataError ?? DataError("\(error)")
    onSkip(error.located(file: file, place: item), count)
  }
}
