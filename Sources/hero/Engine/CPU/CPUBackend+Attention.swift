import CKernels

extension CPUBackend {
  /// One item of work: a head of a sequence.
  struct AttentionItem {
    var sequence: Int
    var head: Int
    var probabilities: Int
    var firstRow: Int
  }

  /// Returns the heads of all sequences, with the offsets of their probabilities and dropout rows.
  private func items(_ input: AttentionInput) -> [AttentionItem] {
    var items: [AttentionItem] = []
    items.reserveCapacity(input.heads * input.querySegments.count)
    var (place, row) = (0, 0)
    for s in 0..<input.querySegments.count {
      let (queries, keys) = (input.querySegments[s].count, input.keyRanges[s].count)
      if queries == 0 { continue }
      for head in 0..<input.heads {
        items.append(AttentionItem(sequence: s, head: head, probabilities: place, firstRow: row))
        place += queries * hero_padded(keys)
        row += queries
      }
    }
    return items
  }

  private func scratchSize(_ input: AttentionInput) -> Int {
    let queries = input.querySegments.lengths.max() ?? 0
    let keys = input.keyRanges.ranges.lazy.map(\.count).max() ?? 0
    return hero_attention_scratch(queries, keys, input.head) + 16
  }

  /// Calls `body` for every head of every sequence, with its query rows, its key rows and scratch.
  ///
  /// Threads take items in runs, so that they rarely contend; few items are divided equally.
  func forEachHead(
    of input: AttentionInput,
    _ body: (AttentionItem, Range<Int>, Range<Int>, UnsafePointer<hero_dropout>?, UnsafeMutablePointer<Float>)
      -> Void
  ) {
    let items = items(input)
    let (lanes, each) = (pool.threads, scratchSize(input))
    let run = max(1, min(24, (items.count + lanes - 1) / lanes))
    let runs = (items.count + run - 1) / run
    let storage = scratch(parts: lanes, each: each)
    let room = storage.pointer
    input.dropout.withKernelForm { drop in
      // Lane l takes runs l, l + lanes, … and has scratch of its own.
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

  static func zero(_ memory: UnsafeMutableRawPointer, bytes: Int) {
    memory.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
  }
}
