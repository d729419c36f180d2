import Foundation

/// A pipeline that makes numbered results ahead of use on other threads and hands them out in
/// order.
///
/// Result n depends on n alone, not on the number of threads or their timing. Releasing the
/// pipeline ends its threads.
public final class Prefetch<Output: Sendable>: Sendable {
  private let state: State

  /// - Parameters:
  ///   - numbers: the results to make; the range may be very long.
  ///   - threads: the number of threads that make results.
  ///   - depth: how many results may be under way or wait to be handed out.
  ///   - cost: the cost of a result while it is under way or waits, and the most that all may cost
  ///     together; a result that costs more is made alone.
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

  /// Returns the next result, or nil after the last one and after cancellation.
  ///
  /// Throws the error that making the result threw.
  public func next() throws -> Output? { try state.next()?.get() }

  /// Stops making results.
  public func cancel() { state.cancel() }

  /// The state that the threads share.
  ///
  /// The threads hold it and not the pipeline, so the pipeline can be released while they wait.
  /// Every access holds the condition's lock.
  private final class State: @unchecked Sendable {
    private let condition = NSCondition()
    private let depth: Int
    private let end: Int
    private var ready: [Int: Result<Output, any Error>] = [:]
    private var nextToMake: Int
    private var nextToHand: Int
    private var isCancelled = false
    private let cost: (most: Int, of: @Sendable (Int) -> Int)?
    /// The cost of each result that is under way or waits, and their sum.
    private var costs: [Int: Int] = [:]
    private var spent = 0

    init(_ numbers: Range<Int>, depth: Int, cost: (most: Int, of: @Sendable (Int) -> Int)?) {
      self.depth = depth
      self.cost = cost
      nextToMake = numbers.lowerBound
      nextToHand = numbers.lowerBound
      end = numbers.upperBound
    }

    /// Returns the next number to make once depth and cost allow it, or nil when there is none
    /// left.
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

    /// Returns whether a number must wait until more results are handed out.
    ///
    /// The number that is handed out next never waits.
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
