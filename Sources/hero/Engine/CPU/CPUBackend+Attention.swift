import CKernels

extension CPUBackend {
  /// One item of work: a head of a sequence.
  private struct Item {
    var sequence: Int
    var head: Int
    var probabilities: Int
    var firstRow: Int
  }

  /// Heads of sequences, with the place of their probabilities and of their dropout rows.
  private func items(_ input: AttentionInput) -> [Item] {
    var items: [Item] = []
    items.reserveCapacity(input.heads * input.querySegments.count)
    var (place, row) = (0, 0)
    for s in 0..<input.querySegments.count {
      let (queries, keys) = (input.querySegments[s].count, input.keyRanges[s].count)
      if queries == 0 { continue }
      for head in 0..<input.heads {
        items.append(Item(sequence: s, head: head, probabilities: place, firstRow: row))
        place += queries * hero_padded(keys)
        row += queries
      }
    }
    return items
  }

  /// Query-key pairs of all sequences.
  private func pairs(_ input: AttentionInput) -> Int {
    zip(input.querySegments.lengths, input.keyRanges.ranges).reduce(0) { $0 + $1.0 * $1.1.count }
  }

  private func scratchSize(_ input: AttentionInput) -> Int {
    let queries = input.querySegments.lengths.max() ?? 0
    let keys = input.keyRanges.ranges.lazy.map(\.count).max() ?? 0
    return hero_attention_scratch(queries, keys, input.width / input.heads) + 16
  }

  /// Calls `body` for every head of every sequence, with its rows of queries and of keys, and
  /// scratch.
  ///
  /// Items come in runs, so that threads meet rarely; the runs are the same for any number of
  /// threads.
  private func forEachItem(
    _ input: AttentionInput,
    _ body: (Item, Range<Int>, Range<Int>, UnsafePointer<hero_dropout>?, UnsafeMutablePointer<Float>) -> Void
  ) {
    let items = items(input)
    let run = 24
    let runs = (items.count + run - 1) / run
    let (lanes, each) = (pool.threads, scratchSize(input))
    let storage = scratch(parts: lanes, each: each)
    let room = storage.pointer
    input.dropout.withKernelForm { drop in
      // Lane l takes runs l, l + lanes, …: each has scratch of its own.
      pool.run(min(lanes, max(1, runs))) { lane in
        for number in stride(from: lane, to: runs, by: lanes) {
          for item in items[number * run..<min(items.count, (number + 1) * run)] {
            body(
              item, input.querySegments[item.sequence], input.keyRanges[item.sequence], drop,
              room + lane * each)
          }
        }
      }
    }
    withExtendedLifetime(storage) {}
  }

  /// Keeps the probabilities, before dropout: per sequence, per head, per query a row of keys
  /// rounded up to 16.
  public func attention(_ input: AttentionInput, keepsForBackward: Bool, out: Tensor) -> [Tensor] {
    var staged = Staged(self, either: input.queries, input.keysValues, out)
    defer { staged.finish() }
    let (input, out) = (staged.reading(input), staged.writing(out))
    let count = probabilityCount(input)
    let probabilities = Tensor(rows: 1, columns: count, storage: makeStorage(count: count, type: staged.type))
    let head = input.width / input.heads
    operations += 2 * pairs(input) * input.width * 2
    let scale = 1 / Float(head).squareRoot()
    let (loops, size) = (loops(staged.type), staged.type.size)
    let (q, ldq) = (input.queries.values + input.queryColumn * size, input.queries.columns)
    let (k, ldk) = (input.keysValues.values + input.keyColumn * size, input.keysValues.columns)
    let v = input.keysValues.values + input.valueColumn * size
    let (kept, result) = (probabilities.values, out.values)
    forEachItem(input) { item, queries, keys, drop, scratch in
      let column = item.head * head
      let to = result + (queries.lowerBound * input.width + column) * size
      if keys.isEmpty {
        for r in 0..<queries.count { zero(to + r * input.width * size, count: head * size) }
        return
      }
      let keyAt = (keys.lowerBound * ldk + column) * size
      loops.attention(
        to, input.width, kept + item.probabilities * size, q + (queries.lowerBound * ldq + column) * size,
        ldq,
        k + keyAt, v + keyAt, ldk, queries.count, keys.count, head, scale, input.causal, item.firstRow, drop,
        scratch)
    }
    return keepsForBackward ? [probabilities] : []
  }

  private func probabilityCount(_ input: AttentionInput) -> Int {
    zip(input.querySegments.lengths, input.keyRanges.ranges).reduce(0) { $0 + $1.0 * hero_padded($1.1.count) }
      * input.heads
  }

  public func attentionBackward(
    _ dy: Tensor, _ input: AttentionInput, out: Tensor, kept saved: [Tensor], dQueries: Tensor,
    dKeysValues: Tensor
  ) {
    var staged = Staged(self, either: dy, input.queries, input.keysValues, saved[0], dQueries, dKeysValues)
    defer { staged.finish() }
    let (dy, input, probabilities) = (staged.reading(dy), staged.reading(input), staged.reading(saved[0]))
    let isSelf = dQueries === dKeysValues
    let dQueries = staged.writing(dQueries)
    let dKeysValues = isSelf ? dQueries : staged.writing(dKeysValues)
    let head = input.width / input.heads
    operations += 2 * pairs(input) * input.width * 4
    let scale = 1 / Float(head).squareRoot()
    let (loops, size) = (loops(staged.type), staged.type.size)
    let (q, ldq) = (input.queries.values + input.queryColumn * size, input.queries.columns)
    let (k, ldk) = (input.keysValues.values + input.keyColumn * size, input.keysValues.columns)
    let v = input.keysValues.values + input.valueColumn * size
    let dq = dQueries.values + input.queryColumn * size
    let dk = dKeysValues.values + input.keyColumn * size
    let dv = dKeysValues.values + input.valueColumn * size
    let (gradient, kept) = (dy.values, probabilities.values)
    for (s, keys) in input.keyRanges.ranges.enumerated() where input.querySegments[s].isEmpty || keys.isEmpty
    {
      for r in keys {
        zero(dk + r * ldk * size, count: input.width * size)
        zero(dv + r * ldk * size, count: input.width * size)
      }
      for r in input.querySegments[s] { zero(dq + r * ldq * size, count: input.width * size) }
    }
    forEachItem(input) { item, queries, keys, drop, scratch in
      if keys.isEmpty { return }
      let column = item.head * head
      let queryAt = (queries.lowerBound * ldq + column) * size
      let keyAt = (keys.lowerBound * ldk + column) * size
      loops.attention_backward(
        dq + queryAt, ldq, dk + keyAt, dv + keyAt, ldk,
        gradient + (queries.lowerBound * input.width + column) * size, input.width,
        kept + item.probabilities * size, q + queryAt, ldq, k + keyAt, v + keyAt, ldk, queries.count,
        keys.count, head, scale, item.firstRow, drop, scratch)
    }
  }

  private func zero(_ bytes: UnsafeMutableRawPointer, count: Int) {
    bytes.initializeMemory(as: UInt8.self, repeating: 0, count: count)
  }
}

extension Staged {
  fileprivate mutating func reading(_ input: AttentionInput) -> AttentionInput {
    var input = input
    let isSelf = input.queries === input.keysValues
    input.queries = reading(input.queries)
    input.keysValues = isSelf ? input.queries : reading(input.keysValues)
    return input
  }
}
