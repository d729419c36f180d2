import Foundation

/// Makes numbered results ahead of their use, on other threads, and hands them out in order.
///
/// Result n is a function of n alone, so the results do not depend on the number of threads or on
/// their timing. A released pipeline ends its threads.
public final class Prefetch<Output: Sendable>: Sendable {
  private let state: State

  /// - Parameters:
  ///   - numbers: what to make; their end may be far away.
  ///   - threads: how many make it.
  ///   - depth: results that may wait or be under way.
  ///   - cost: what each costs while it is, and how much all may cost together; one that costs more
  ///     is alone.
  public init(
    _ numbers: Range<Int>, threads: Int = 1, depth: Int = 4,
    cost: (most: Int, of: @Sendable (Int) -> Int)? = nil, make: @escaping @Sendable (Int) throws -> Output
  ) {
    let state = State(numbers, depth: max(1, depth), cost: cost)
    self.state = state
    for number in 0..<max(1, threads) {
      let thread = Thread {
        while let number = state.take() { state.put(Result { try make(number) }, at: number) }
      }
      thread.name = "hero-loader-\(number)"
      thread.stackSize = 4 << 20
      thread.start()
    }
  }

  deinit { state.cancel() }

  /// The next result, or nil after the last and once it was cancelled. Throws what its making
  /// threw.
  public func next() throws -> Output? { try state.next()?.get() }

  /// Makes nothing more.
  public func cancel() { state.cancel() }

  /// What the threads share: they hold it, and not the pipeline, so that the pipeline can go away
  /// while they wait. Every access holds the condition's lock.
  private final class State: @unchecked Sendable {
    private let condition = NSCondition()
    private let depth: Int
    private let end: Int
    private var ready: [Int: Result<Output, any Error>] = [:]
    private var nextToMake: Int
    private var nextToHand: Int
    private var isCancelled = false
    private let cost: (most: Int, of: @Sendable (Int) -> Int)?
    /// What each costs that is under way or waits, and all together.
    private var costs: [Int: Int] = [:]
    private var spent = 0

    init(_ numbers: Range<Int>, depth: Int, cost: (most: Int, of: @Sendable (Int) -> Int)?) {
      self.depth = depth
      self.cost = cost
      nextToMake = numbers.lowerBound
      nextToHand = numbers.lowerBound
      end = numbers.upperBound
    }

    /// The next number to work on, once it is near enough to what was handed out; nil when there is
    /// none.
    func take() -> Int? {
      condition.lock()
      defer { condition.unlock() }
      while !isCancelled, nextToMake < end, nextToMake >= nextToHand + depth || isTooDear(nextToMake) {
        condition.wait()
      }
      guard !isCancelled, nextToMake < end else { return nil }
      defer { nextToMake += 1 }
      spent += costs[nextToMake] ?? 0
      return nextToMake
    }

    /// Whether a number has to wait till more is handed out. The one that is next to be handed out
    /// never has to.
    private func isTooDear(_ number: Int) -> Bool {
      guard let cost else { return false }
      let own = costs[number] ?? cost.of(number)
      costs[number] = own
      return number > nextToHand && own > cost.most - spent
    }

    func put(_ result: Result<Output, any Error>, at number: Int) {
      condition.lock()
      defer { condition.unlock() }
      if !isCancelled { ready[number] = result }
      condition.broadcast()
    }

    func next() -> Result<Output, any Error>? {
      condition.lock()
      defer { condition.unlock() }
      while !isCancelled, nextToHand < end {
        if let result = ready.removeValue(forKey: nextToHand) {
          spent -= costs.removeValue(forKey: nextToHand) ?? 0
          nextToHand += 1
          condition.broadcast()
          return result
        }
        condition.wait()
      }
      return nil
    }

    func cancel() {
      condition.lock()
      defer { condition.unlock() }
      isCancelled = true
      ready = [:]
      condition.broadcast()
    }
  }
}
