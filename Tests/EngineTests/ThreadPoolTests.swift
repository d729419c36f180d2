import Foundation
import Synchronization
import Testing

@testable import Engine

@Suite(.serialized) struct ThreadPoolTests {
  @Test(arguments: [1, 2, 3, 5], [0, 1, 2, 3, 7, 1000])
  func everyIndexOnce(threads: Int, count: Int) {
    let pool = ThreadPool(threads: threads)
    defer { pool.stop() }
    var calls = [Int](repeating: 0, count: count)
    calls.withUnsafeMutableBufferPointer { calls in
      nonisolated(unsafe) let calls = calls
      pool.run(count) { calls[$0] += 1 }
    }
    #expect(calls == [Int](repeating: 1, count: count))
  }

  @Test(arguments: [1, 2, 3], [0, 1, 5, 16, 100, 1003])
  func splitCoversTheRange(threads: Int, count: Int) {
    let pool = ThreadPool(threads: threads)
    defer { pool.stop() }
    for (grain, multiple) in [(1, 1), (7, 1), (1, 16), (64, 8), (5000, 16)] {
      var parts = [Range<Int>?](repeating: nil, count: threads)
      parts.withUnsafeMutableBufferPointer { parts in
        nonisolated(unsafe) let parts = parts
        pool.split(count, grain: grain, multiple: multiple) { range, part in parts[part] = range }
      }
      let ranges = parts.compactMap { $0 }.sorted { $0.lowerBound < $1.lowerBound }
      #expect(ranges.flatMap { Array($0) } == Array(0..<count))
      #expect(ranges.allSatisfy { $0.lowerBound % multiple == 0 })
      #expect(ranges.count <= max(1, count / grain))
    }
  }

  /// A nested loop is run by the thread that meets it, whatever the sizes.
  @Test(arguments: [1, 2, 3], [0, 1, 2, 50])
  func nestedLoops(threads: Int, inner: Int) {
    let pool = ThreadPool(threads: threads)
    defer { pool.stop() }
    let total = Atomic<Int>(0)
    pool.run(20) { i in
      pool.run(inner) { j in total.add(i * inner + j, ordering: .relaxed) }
    }
    let all = 20 * inner
    #expect(total.load(ordering: .relaxed) == all * (all - 1) / 2)
  }

  /// A late thread takes no index of a later loop, which is longer or shorter than the one it saw.
  @Test(arguments: [2, 3])
  func manyTinyLoops(threads: Int) {
    let pool = ThreadPool(threads: threads)
    defer { pool.stop() }
    let rounds = 300_000
    var sums = [Int](repeating: 0, count: 4)
    sums.withUnsafeMutableBufferPointer { sums in
      nonisolated(unsafe) let sums = sums
      for round in 0..<rounds { pool.run(2 + round % 3) { sums[$0] += 1 } }
    }
    #expect(sums == [rounds, rounds, rounds * 2 / 3, rounds / 3])
  }

  /// A loop sees what the loop before it wrote, on any thread, and sleeping workers wake up.
  @Test func loopsAfterSleep() {
    let pool = ThreadPool(threads: 3)
    defer { pool.stop() }
    var values = [Int](repeating: 0, count: 64)
    values.withUnsafeMutableBufferPointer { values in
      nonisolated(unsafe) let values = values
      for round in 0..<30 {
        if round % 3 == 0 { Thread.sleep(forTimeInterval: 0.002) }
        // Even rounds write one half from the other, odd rounds the other way.
        let (to, from) = round % 2 == 0 ? (32, 0) : (0, 32)
        pool.run(32) { values[to + $0] = values[from + 31 - $0] + 1 }
      }
    }
    #expect(values == [Int](repeating: 30, count: 32) + [Int](repeating: 29, count: 32))
  }

  /// The threads end with their pool, so that backends may come and go.
  @Test(.timeLimit(.minutes(30))) func threadsEnd() {
    weak var gone: ThreadPool?
    do {
      let pool = ThreadPool(threads: 3)
      pool.run(10) { _ in }
      gone = pool
      pool.stop()
    }
    // Each thread releases the pool in its own time.
    while gone != nil { Thread.sleep(forTimeInterval: 0.001) }
  }
}
