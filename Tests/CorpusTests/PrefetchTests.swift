import Foundation
import Synchronization
import Testing

@testable import Corpus

private final class Held: Sendable {}

private struct Failure: Error, Equatable { let number: Int }

@Suite struct PrefetchTests {
  @Test(arguments: [1, 3, 8]) func resultsComeInOrderWhateverTheThreads(_ threads: Int) throws {
    let squares = Prefetch(5..<205, threads: threads) { number in
      usleep(UInt32(number * 7919 % 5) * 100)
      return number * number
    }
    var seen: [Int] = []
    while let square = try squares.next() { seen.append(square) }
    #expect(seen == (5..<205).map { $0 * $0 })
    #expect(try squares.next() == nil)
    #expect(try Prefetch(0..<0, threads: threads) { $0 }.next() == nil)
  }

  @Test func anErrorComesInItsPlaceAndEndsNothing() throws {
    let numbers = Prefetch(0..<4, threads: 2) { number in
      if number == 1 { throw Failure(number: number) }
      return number
    }
    #expect(try numbers.next() == 0)
    #expect(throws: Failure(number: 1)) { try numbers.next() }
    #expect([try numbers.next(), try numbers.next()] == [2, 3])
  }

  @Test(arguments: [1, 4]) func noMoreIsMadeAheadThanTheDepth(_ threads: Int) throws {
    let made = Mutex(0)
    let handed = Mutex(0)
    let numbers = Prefetch(0..<100, threads: threads, depth: 3) { number in
      made.withLock { $0 += 1 }
      #expect(number < handed.withLock { $0 } + 3 + 1)
      return number
    }
    for number in 0..<100 {
      #expect(try numbers.next() == number)
      handed.withLock { $0 += 1 }
    }
    #expect(made.withLock { $0 } == 100)
  }

  @Test func cancellingWakesWhoWaits() throws {
    let gate = DispatchSemaphore(value: 0)
    let numbers = Prefetch(0..<2) { number in
      gate.wait()
      return number
    }
    Thread { numbers.cancel() }.start()
    #expect(try numbers.next() == nil)
    gate.signal()
  }

  /// Threads that wait for room end with the pipeline and release what they hold.
  @Test func aPipelineThatIsLetGoEndsItsThreads() throws {
    weak var held: Held?
    func begin() throws {
      let object = Held()
      held = object
      let numbers = Prefetch(0..<1_000_000, threads: 2, depth: 2) { number in
        withExtendedLifetime(object) { number }
      }
      #expect(try numbers.next() == 0)
    }
    try begin()
    // The threads need a moment to end. A pipeline that kept them would never release `held`.
    for _ in 0..<10_000 where held != nil { usleep(1000) }
    #expect(held == nil)
  }

  /// Number 7 costs more than the limit, so it is held alone.
  @Test(arguments: [1, 4]) func resultsThatAreTogetherCostNoMoreThanTheLimit(_ threads: Int) throws {
    let handed = Mutex(0)
    let numbers = Prefetch(0..<20, threads: threads, depth: 16, cost: (10, { $0 == 7 ? 100 : 4 })) { number in
      let ahead = number - handed.withLock { $0 }
      // One more may begin after a number is handed out and before it is counted here.
      #expect(ahead <= (number == 7 ? 1 : 2), "\(number)")
      return number
    }
    for number in 0..<20 {
      usleep(500)
      #expect(try numbers.next() == number)
      handed.withLock { $0 += 1 }
    }
    #expect(try numbers.next() == nil)
  }
}
