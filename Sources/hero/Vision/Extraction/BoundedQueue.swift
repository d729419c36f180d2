import Foundation

/// Hands items from the threads that decode to the one that computes; who is ahead waits.
final class BoundedQueue<Item>: @unchecked Sendable {
  private let condition = NSCondition()
  private let capacity: Int
  private var items: [Item] = []
  private var producers: Int
  private var isClosed = false

  /// - Parameter producers: how many will call `finish`.
  init(capacity: Int, producers: Int) {
    self.capacity = capacity
    self.producers = producers
  }

  /// Waits for room.
  ///
  /// Throws ``Closed`` once the reader has stopped.
  func put(_ item: Item) throws {
    condition.lock()
    defer { condition.unlock() }
    while items.count >= capacity, !isClosed { condition.wait() }
    if isClosed { throw Closed() }
    items.append(item)
    condition.broadcast()
  }

  /// Waits for an item; nil when all producers are done and nothing is left.
  func take() -> Item? {
    condition.lock()
    defer { condition.unlock() }
    while items.isEmpty, producers > 0 { condition.wait() }
    guard !items.isEmpty else { return nil }
    condition.broadcast()
    return items.removeFirst()
  }

  /// One producer is done.
  func finish() {
    condition.lock()
    producers -= 1
    condition.broadcast()
    condition.unlock()
  }

  /// Lets producers end, and waits until all have.
  func close() {
    condition.lock()
    isClosed = true
    items.removeAll()
    condition.broadcast()
    while producers > 0 { condition.wait() }
    condition.unlock()
  }

  struct Closed: Error {}
}
