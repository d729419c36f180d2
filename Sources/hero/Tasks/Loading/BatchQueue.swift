import Foundation

/// Makes batches ahead of their use, on other threads, and hands them out in order.
///
/// Batch n is a function of n alone, so what comes out does not depend on how many threads there are or when they run.
public final class BatchQueue<Batch: Sendable>: @unchecked Sendable {
  private let make: @Sendable (Int) throws -> Batch
  private let condition = NSCondition()
  private let depth: Int
  private let end: Int
  private var ready: [Int: Result<Batch, any Error>] = [:]
  private var nextToMake: Int
  private var nextToHand: Int
  private var cancelled = false

  /// - Parameters:
  ///   - numbers: the batches to make; their end may be far away.
  ///   - threads: how many make them.
  ///   - depth: how many may wait.
  public init(
    _ numbers: Range<Int>, threads: Int = 1, depth: Int = 4, make: @escaping @Sendable (Int) throws -> Batch
  ) {
    self.make = make
    self.depth = max(1, depth)
    nextToMake = numbers.lowerBound
    nextToHand = numbers.lowerBound
    end = numbers.upperBound
    for number in 0..<max(1, threads) {
      // The thread holds the queue only while it makes a batch: a queue that nobody reads goes away.
      let thread = Thread { [weak self] in while self?.makeOne() == true {} }
      thread.name = "hero-loader-\(number)"
      thread.stackSize = 4 << 20
      thread.start()
    }
  }

  /// Batches of all of `count` items in their order, once.
  public convenience init(
    items count: Int, batchSize: Int, make: @escaping @Sendable (_ items: Range<Int>) throws -> Batch
  ) {
    let size = max(1, batchSize)
    self.init(0..<(count + size - 1) / size) { number in
      try make(number * size..<min(count, (number + 1) * size))
    }
  }

  deinit { cancel() }

  /// The next batch, or nil after the last. Throws what its making threw.
  public func next() throws -> Batch? {
    condition.lock()
    defer { condition.unlock() }
    guard nextToHand < end else { return nil }
    while ready[nextToHand] == nil {
      if cancelled { return nil }
      condition.wait()
    }
    let result = ready.removeValue(forKey: nextToHand)
    nextToHand += 1
    condition.broadcast()
    return try result?.get()
  }

  /// Stops making batches.
  public func cancel() {
    condition.lock()
    cancelled = true
    condition.broadcast()
    condition.unlock()
  }

  private func makeOne() -> Bool {
    condition.lock()
    // A short wait, so that a queue that was let go is noticed.
    while !cancelled, nextToMake < end, nextToMake - nextToHand >= depth {
      if !condition.wait(until: Date(timeIntervalSinceNow: 0.5)) {
        condition.unlock()
        return true
      }
    }
    guard !cancelled, nextToMake < end else {
      condition.unlock()
      return false
    }
    let number = nextToMake
    nextToMake += 1
    condition.unlock()
    let result = Result { try make(number) }
    condition.lock()
    ready[number] = result
    condition.broadcast()
    condition.unlock()
    return true
  }
}
