import Foundation

/// A queue from the threads that decode to the one that computes; whichever is ahead waits.
final class BoundedQueue<Item>: @unchecked Sendable {
  private let condition = NSCondition()
  private let capacity: Int
  private var items: [Item] = []
  private var producers: Int
  private var isClosed = false

  /// - Parameter producers: the number of threads that will call `finish`.
  init(capacity: Int, producers: Int) {
    self.capacity = capacity
    self.producers = producers
  }

  /// Waits for room, and appends the item.
  ///
  /// Throws ``Closed`` once the consumer has stopped.
  func put(_ item: Item) throws {
    condition.lock()
    defer { condition.unlock() }
    while items.count >= capacity, !isClosed { condition.wait() }
    if isClosed { throw Closed() }
    items.append(item)
    condition.broadcast()
  }

  /// Waits for an item, and returns it; nil once all producers are done and the queue is empty.
  func take() -> Item? {
    condition.lock()
    defer { condition.unlock() }
    while items.isEmpty, producers > 0 { condition.wait() }
    guard !items.isEmpty else { return nil }
    condition.broadcast()
    return items.removeFirst()
  }

  /// Marks one producer as done.
  func finish() {
    condition.lock()
    producers -= 1
    condition.broadcast()
    condition.unlock()
  }

  /// Stops the producers, and waits until all are done.
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
