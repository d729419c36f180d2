import CKernels
import Foundation
import Synchronization

/// A fixed set of threads that share one loop at a time.
///
/// They are the engine's only threads: OpenBLAS uses one, and the engine divides products, so the
/// two never compete for cores. Between loops the workers spin for some microseconds, since the
/// next operation usually follows at once, and then sleep.
package final class ThreadPool: @unchecked Sendable {
  /// The number of threads that share a loop, including the caller.
  package let threads: Int
  /// The loop's number in the upper half, the number of its free indices in the lower; one word
  /// lets a thread take an index only of the loop that it saw.
  private let turn = Atomic<UInt64>(0)
  /// The number of indices whose body has not returned.
  private let unfinished = Atomic<Int>(0)
  private let sleepers = Atomic<Int>(0)
  private let stopping = Atomic<Bool>(false)
  private let busy = Atomic<Bool>(false)
  private let lock = NSCondition()
  /// The body of the current loop; a thread reads it only after taking an index, which the loop
  /// waits for.
  private var body: (Int) -> Void = { _ in }

  package init(threads: Int) {
    self.threads = max(1, threads)
    for number in 1..<max(2, self.threads) where self.threads > 1 {
      let worker = Thread { [self] in work() }
      worker.stackSize = 1 << 20
      worker.name = "hero-\(number)"
      worker.start()
    }
  }

  /// Ends the threads, and with them the pool; loops still work, on the calling thread.
  package func stop() {
    stopping.store(true, ordering: .sequentiallyConsistent)
    lock.lock()
    lock.broadcast()
    lock.unlock()
  }

  /// Runs `body(0)` … `body(count - 1)`, each once, in any order, on whichever thread is free;
  /// returns when all have run.
  ///
  /// It does not wait for a thread that is asleep or has no core: the others take its share. A loop
  /// that starts within another's body runs on the calling thread.
  package func run(_ count: Int, _ body: (Int) -> Void) {
    guard count > 1, threads > 1, !stopping.load(ordering: .relaxed),
      !busy.exchange(true, ordering: .acquiring)
    else {
      for i in 0..<count { body(i) }
      return
    }
    defer { busy.store(false, ordering: .releasing) }
    precondition(count <= Int(UInt32.max))
    withoutActuallyEscaping(body) { escapable in
      self.body = escapable
      unfinished.store(count, ordering: .relaxed)
      let number = Self.number(turn.load(ordering: .relaxed)) &+ 1
      turn.store(UInt64(number) << 32 | UInt64(count), ordering: .sequentiallyConsistent)
      if sleepers.load(ordering: .sequentiallyConsistent) > 0 {
        lock.lock()
        lock.broadcast()
        lock.unlock()
      }
      takeTurns(in: number)
      var spins = 0
      while unfinished.load(ordering: .acquiring) > 0 {
        spins += 1
        // With more threads than cores, the thread that is waited for may not be running at all.
        if spins < 20_000 { hero_pause() } else { sched_yield() }
      }
      self.body = { _ in }
    }
  }

  private static func number(_ turn: UInt64) -> UInt32 { UInt32(turn >> 32) }

  private func takeTurns(in number: UInt32) {
    var seen = turn.load(ordering: .acquiring)
    while Self.number(seen) == number {
      let left = Int(UInt32(truncatingIfNeeded: seen))
      if left == 0 { return }
      let (taken, now) = turn.compareExchange(
        expected: seen, desired: seen - 1, successOrdering: .acquiringAndReleasing,
        failureOrdering: .acquiring)
      if taken {
        perform(left - 1)
        unfinished.subtract(1, ordering: .releasing)
        seen = turn.load(ordering: .acquiring)
      } else {
        seen = now
      }
    }
  }

  /// Calls the body in a frame of its own, so that nothing holds on to it once an index is done.
  @inline(never) private func perform(_ index: Int) { body(index) }

  private func work() {
    var done: UInt32 = 0
    while true {
      var spins = 0
      while Self.number(turn.load(ordering: .acquiring)) == done {
        spins += 1
        if spins < 4_000 {
          hero_pause()
        } else {
          sleep(after: done)
        }
        if stopping.load(ordering: .relaxed) { return }
      }
      done = Self.number(turn.load(ordering: .acquiring))
      takeTurns(in: done)
    }
  }

  private func sleep(after done: UInt32) {
    lock.lock()
    sleepers.add(1, ordering: .sequentiallyConsistent)
    while Self.number(turn.load(ordering: .sequentiallyConsistent)) == done,
      !stopping.load(ordering: .relaxed)
    {
      lock.wait()
    }
    sleepers.subtract(1, ordering: .sequentiallyConsistent)
    lock.unlock()
  }
}

extension ThreadPool {
  /// Divides `0 ..< count` into one range per thread, each at least `grain` long and a multiple of
  /// `multiple`.
  func split(
    _ count: Int, grain: Int = 1, multiple: Int = 1, _ body: (_ range: Range<Int>, _ part: Int) -> Void
  ) {
    guard count > 0 else { return }
    let parts = max(1, min(threads, count / max(1, grain)))
    guard parts > 1 else { return body(0..<count, 0) }
    let share = ((count + parts - 1) / parts + multiple - 1) / multiple * multiple
    run(parts) { part in
      let start = min(count, part * share)
      let end = min(count, start + share)
      if start < end { body(start..<end, part) }
    }
  }
}
