import CKernels
import Foundation
import Synchronization

/// A fixed set of threads that share out one loop at a time.
///
/// The engine's only threads: OpenBLAS uses one, and the engine divides products, so the two never
/// compete for cores. Between loops the workers spin for some microseconds (the next operation
/// usually follows at once), then sleep. Where other programs have the cores and waiting for the
/// workers takes longer than their work would, the caller works alone for a while
/// (``Cooperation``). No result depends on who did what.
package final class ThreadPool: @unchecked Sendable {
  /// How many threads share a loop, the caller's included.
  package let threads: Int
  /// The loop's number in the upper half, the number of its free indices in the lower. One word, so
  /// that a thread takes an index of the loop that it saw.
  private let turn = Atomic<UInt64>(0)
  /// Indices whose body has not returned.
  private let unfinished = Atomic<Int>(0)
  private let sleepers = Atomic<Int>(0)
  private let stopping = Atomic<Bool>(false)
  private let busy = Atomic<Bool>(false)
  private let lock = NSCondition()
  /// Until when the caller works alone; 0 for not at all.
  private let aloneUntil = Atomic<UInt64>(0)
  /// Of whoever has `busy`.
  private var cooperation: Cooperation
  /// Of the loop under way; read only by who has taken an index of it, for which the loop then
  /// waits.
  private var body: (Int) -> Void = { _ in }

  package init(threads: Int) {
    self.threads = max(1, threads)
    cooperation = Cooperation(threads: self.threads)
    for number in 1..<max(2, self.threads) where self.threads > 1 {
      let worker = Thread { [self] in work() }
      worker.stackSize = 1 << 20
      worker.name = "hero-\(number)"
      worker.start()
    }
  }

  /// Lets the threads end, and with them the pool; loops still work, on the calling thread.
  package func stop() {
    stopping.store(true, ordering: .sequentiallyConsistent)
    lock.lock()
    lock.broadcast()
    lock.unlock()
  }

  /// Runs `body(0)` … `body(count - 1)`, each once, in any order, on whichever thread is free;
  /// returns when all have run.
  ///
  /// A thread that is asleep or has no core is not waited for: the others take its share. A loop
  /// that starts while another is under way (from its body) runs on the calling thread.
  package func run(_ count: Int, _ body: (Int) -> Void) {
    guard count > 1, threads > 1, !stopping.load(ordering: .relaxed), !isAlone,
      !busy.exchange(true, ordering: .acquiring)
    else {
      for i in 0..<count { body(i) }
      return
    }
    defer { busy.store(false, ordering: .releasing) }
    precondition(count <= Int(UInt32.max))
    withoutActuallyEscaping(body) { escapable in
      let began = Self.now
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
      let free = Self.now
      var spins = 0
      while unfinished.load(ordering: .acquiring) > 0 {
        spins += 1
        // With more threads than cores the one waited for may not be running at all.
        if spins < 20_000 { hero_pause() } else { sched_yield() }
      }
      self.body = { _ in }
      let ended = Self.now
      if let until = cooperation.note(own: free - began, waited: ended - free, at: ended) {
        aloneUntil.store(until, ordering: .relaxed)
      }
    }
  }

  private static var now: UInt64 { DispatchTime.now().uptimeNanoseconds }

  private var isAlone: Bool {
    let until = aloneUntil.load(ordering: .relaxed)
    return until > 0 && Self.now < until
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

  /// A call of its own, so that nothing holds on to the body once an index is reported as done.
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

/// Whether sharing loops pays.
///
/// A thread that loses its core in the midst of a loop holds the others up until it gets it back,
/// some milliseconds later. On a busy machine that happens in most loops.
struct Cooperation {
  /// How many threads share a loop.
  let threads: Int
  private var own: UInt64 = 0
  private var waited: UInt64 = 0

  /// Nanoseconds of loops to judge by, and those to work alone before the next try.
  static let (trial, alone): (UInt64, UInt64) = (20_000_000, 200_000_000)

  init(threads: Int) { self.threads = threads }

  /// - Parameters:
  ///   - own: nanoseconds in which the caller did its share of a loop.
  ///   - waited: nanoseconds in which it waited for the others after that.
  /// - Returns: until when the caller should work alone; nil to go on sharing. Alone, it would have
  ///   done the others' shares in `(threads - 1) · own`.
  mutating func note(own: UInt64, waited: UInt64, at now: UInt64) -> UInt64? {
    self.own += own
    self.waited += waited
    guard self.own + self.waited >= Self.trial else { return nil }
    defer { (self.own, self.waited) = (0, 0) }
    return self.waited > UInt64(threads - 1) * self.own ? now + Self.alone : nil
  }
}

extension ThreadPool {
  /// Divides `0 ..< count` into one range a thread, each at least `grain` long and a multiple of
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
