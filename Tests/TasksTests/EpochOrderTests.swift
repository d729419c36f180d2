import Testing

@testable import Tasks

/// Every epoch visits all items, in an order as good as random.
///
/// In large corpora, neighbours are read nearer to one another.
struct EpochOrderTests {
  private func epoch(_ number: Int, _ order: EpochOrder) -> [Int] {
    (0..<order.batchesPerEpoch).flatMap { order.batch(number * order.batchesPerEpoch + $0) }
  }

  @Test(arguments: [1, 2, 31, 32, 33, 64, 100, 1000, 1024, 1025, 4097], [1, 7, 64, 5000])
  func everyItemOnce(items: Int, batchSize: Int) {
    let order = EpochOrder(items: items, batchSize: batchSize, seed: 3, block: 8, stretch: 64)
    for number in 0..<3 {
      let visited = epoch(number, order)
      #expect(visited.sorted() == Array(0..<items))
      let sizes = Set((0..<order.batchesPerEpoch - 1).map { order.batch($0).count })
      #expect(sizes.isSubset(of: [batchSize]))
    }
    if items > 30 { #expect(epoch(0, order) != epoch(1, order)) }
  }

  @Test func noItemsNoBatch() {
    #expect(EpochOrder(items: 0, batchSize: 4, seed: 1).batch(7) == [])
  }

  /// A batch is a function of its number, so a run can resume anywhere.
  @Test func batchesAreAFunctionOfTheirNumber() {
    let order = EpochOrder(items: 100_000, batchSize: 48, seed: 9)
    let numbers = [5000, 3, 2083, 2084, 0, 5000, 9999]
    let first = numbers.map(order.batch)
    // Other orders evict the remembered ones.
    for seed in 0..<20 { _ = EpochOrder(items: 100_000, batchSize: 48, seed: UInt64(100 + seed)).batch(7) }
    #expect(numbers.reversed().map(order.batch) == first.reversed())
    #expect(first[0] == first[5])
    #expect(order.batch(3) != EpochOrder(items: 100_000, batchSize: 48, seed: 10).batch(3))
  }

  /// Over many epochs an item is equally likely at any time, and a batch has items from anywhere.
  @Test func itemsComeAtAnyTime() {
    let items = 4000
    let order = EpochOrder(items: items, batchSize: 20, seed: 5, block: 8, stretch: 512)
    let epochs = 1000
    var times = [[Int]](repeating: [Int](repeating: 0, count: 10), count: 3)
    var spread = 0.0
    for number in 0..<epochs {
      for (time, item) in epoch(number, order).enumerated() {
        if let watched = [0, 1777, items - 1].firstIndex(of: item) { times[watched][time * 10 / items] += 1 }
      }
      let batch = order.batch(number * order.batchesPerEpoch).map(Double.init)
      let mean = batch.reduce(0, +) / 20
      spread += batch.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 19
    }
    for counts in times {
      // χ² with 9 degrees of freedom: above 27.9 once in a thousand.
      let expected = Double(epochs) / 10
      let away = counts.map { Double($0) - expected }
      #expect(away.reduce(0) { $0 + $1 * $1 } / expected < 27.9)
    }
    // The variance of a number drawn from 0 ..< items.
    let uniform = Double(items * items) / 12
    #expect(abs(spread / Double(epochs) / uniform - 1) < 0.05)
  }

  /// The items of one stretch lie in no more blocks than the stretch fills.
  @Test func neighboursAreReadTogether() {
    let order = EpochOrder(items: 1_000_000, batchSize: 64, seed: 2)
    let batches = (1 << 14) / 64
    for stretch in [0, 7, 40] {
      let items = (0..<batches).flatMap { order.batch(stretch * batches + $0) }
      // A stretch may begin and end within a block.
      #expect(Set(items.map { $0 / 32 }).count <= (1 << 14) / 32 + 1)
    }
    // Within a batch hardly any two items are neighbours.
    let blocks = (0..<batches).map { Set(order.batch($0).map { $0 / 32 }).count }
    #expect(Double(blocks.reduce(0, +)) / Double(batches) > 58)
  }
}
