import CKernels
import COpenBLAS

/// Products of many pairs of queries and stretches of rows, where several queries share a stretch.
extension CPUBackend {
  /// Multiplies the pairs that share rows of x as one product: [queries of the group, columns] ·
  /// [rows, columns]ᵀ.
  ///
  /// The group reads once from memory what its pairs would each read.
  func groupedDot(
    _ queries: Tensor, _ queryRows: Indices, _ x: Tensor, pairs: RowRanges, places: Segments, out: Tensor
  ) {
    precondition(queryRows.count == pairs.count && places.count == pairs.count)
    let columns = x.columns
    let (order, groups) = Self.grouped(pairs, rows: x.rows)
    let most = groups.reduce((queries: 0, rows: 0)) { most, group in
      (max(most.queries, group.count), max(most.rows, pairs[order[group.lowerBound]].count))
    }
    operations += 2 * places.rows * columns
    // bfloat16 rows become floats one group at a time, since x may be a whole corpus.
    let isBF16 = x.storage.type == .bfloat16
    let each = most.queries * (columns + most.rows) + (isBF16 ? most.rows * columns : 0)
    let lanes = min(pool.threads, max(1, groups.count))
    let storage = scratch(parts: lanes, each: each)
    var staged = Staged(self)
    defer { staged.finish() }
    let queries = staged.reading(queries)
    let (room, q, to, numbers) = (storage.pointer, queries.pointer, out.pointer, queryRows.onHost)
    let starts = places.offsets
    // Lane l takes groups l, l + lanes, … and has scratch of its own.
    pool.run(lanes) { lane in
      let (packed, products) = (room + lane * each, room + lane * each + most.queries * columns)
      for number in stride(from: lane, to: groups.count, by: lanes) {
        let own = order[groups[number]]
        let rows = pairs[own[own.startIndex]]
        for (place, pair) in own.enumerated() {
          (packed + place * columns).update(from: q + Int(numbers[pair]) * columns, count: columns)
        }
        var from: UnsafeMutablePointer<Float>
        if isBF16 {
          from = products + most.queries * most.rows
          kernels.widen(from, x.bf16 + rows.lowerBound * columns, rows.count * columns)
        } else {
          from = x.pointer + rows.lowerBound * columns
        }
        hero_sgemm(
          false, true, own.count, rows.count, columns, 1, packed, columns, from, columns, 0, products,
          rows.count)
        for (place, pair) in own.enumerated() {
          (to + starts[pair]).update(from: products + place * rows.count, count: rows.count)
        }
      }
    }
    withExtendedLifetime(storage) {}
  }

  /// Returns the pairs in the order of their first rows, and the groups of neighbours with the same
  /// stretch.
  ///
  /// Empty pairs are skipped.
  private static func grouped(_ pairs: RowRanges, rows: Int) -> (order: [Int], groups: [Range<Int>]) {
    // A counting sort suits many pairs that begin at few places.
    var ends = [Int](repeating: 0, count: rows + 1)
    for range in pairs.ranges where !range.isEmpty { ends[range.lowerBound + 1] += 1 }
    for row in 0..<rows { ends[row + 1] += ends[row] }
    var order = [Int](repeating: 0, count: ends[rows])
    for (pair, range) in pairs.ranges.enumerated() where !range.isEmpty {
      order[ends[range.lowerBound]] = pair
      ends[range.lowerBound] += 1
    }
    var groups: [Range<Int>] = []
    var first = 0
    for place in order.indices
    where place + 1 == order.count || pairs[order[place + 1]] != pairs[order[place]] {
      groups.append(first..<place + 1)
      first = place + 1
    }
    return (order, groups)
  }
}
