import Foundation

/// Runs numbered pieces of work on several threads, and hands the results on in order, one at a time.
enum OrderedWork {
  /// Runs `work` for 0 ..< `count` on `threads` threads, and `consume` on the calling thread in order of the numbers.
  ///
  /// No more than twice as many results as threads are under way or waiting at any time. When `consume` throws, no
  /// further work is begun; the call returns when what was under way has ended.
  static func run<Output: Sendable>(
    count: Int, threads: Int, work: @escaping @Sendable (Int) -> Output,
    consume: (Int, Output) throws -> Void
  ) throws {
    let queue = Queue<Output>(count: count, window: 2 * threads)
    let workers = DispatchGroup()
    for _ in 0..<min(threads, count) {
      workers.enter()
      let thread = Thread {
        while let index = queue.take() { queue.put(work(index), at: index) }
        workers.leave()
      }
      thread.start()
    }
    defer {
      queue.stop()
      workers.wait()
    }
    for index in 0..<count { try consume(index, queue.result(index)) }
  }

  /// Numbers to work on and results to collect; every access holds the condition's lock.
  private final class Queue<Output: Sendable>: @unchecked Sendable {
    private let condition = NSCondition()
    private let count: Int
    private let window: Int
    private var next = 0
    private var collected = 0
    private var results: [Int: Output] = [:]
    private var isStopped = false

    init(count: Int, window: Int) {
      self.count = count
      self.window = window
    }

    /// The next number, once it is near enough to what has been collected; nil when there is none.
    func take() -> Int? {
      condition.lock()
      defer { condition.unlock() }
      while !isStopped, next < count, next >= collected + window { condition.wait() }
      guard !isStopped, next < count else { return nil }
      defer { next += 1 }
      return next
    }

    func put(_ output: Output, at index: Int) {
      condition.lock()
      defer { condition.unlock() }
      results[index] = output
      condition.broadcast()
    }

    /// Waits for the result of `index`.
    func result(_ index: Int) -> Output {
      condition.lock()
      defer { condition.unlock() }
      while true {
        if let output = results.removeValue(forKey: index) {
          collected = index + 1
          condition.broadcast()
          return output
        }
        condition.wait()
      }
    }

    func stop() {
      condition.lock()
      defer { condition.unlock() }
      isStopped = true
      condition.broadcast()
    }
  }
}
