/// A long word on its way through the merges, in time n·log n.
///
/// A heap holds the pairs by rank, then by place. All pairs of one rank merge from left to right
/// before the pairs that they make. Short words, which are scanned again for each merge, merge in
/// the same order.
struct LongWord {
  private let merges: MergeTable
  /// The symbol that begins at each byte; -1 where an earlier symbol covers the byte.
  private var symbol: [Int32]
  /// The places where the next symbol and the previous one begin.
  private var next: [Int32]
  private var previous: [Int32]
  /// A min-heap of entries with the rank in the high half and the place in the low one.
  private var heap: [UInt64] = []

  /// - Parameter word: the symbol of each byte.
  init(_ word: [Int32], merges: MergeTable) {
    self.merges = merges
    symbol = word
    next = (0..<word.count).map { Int32(truncatingIfNeeded: $0 + 1) }
    previous = (0..<word.count).map { Int32(truncatingIfNeeded: $0 - 1) }
  }

  mutating func symbols() -> [Int32] {
    for place in symbol.indices { push(place) }
    var made: [Int] = []
    while let first = heap.first {
      let rank = first >> 32
      made.removeAll(keepingCapacity: true)
      while let entry = heap.first, entry >> 32 == rank {
        pop()
        let place = Int(entry & 0xFFFF_FFFF)
        // An earlier merge may have removed the pair or changed it.
        guard let merge = pair(at: place), UInt64(merge.rank) == rank else { continue }
        join(place, to: merge.symbol)
        made.append(place)
      }
      for place in made {
        push(place)
        if previous[place] >= 0 { push(Int(previous[place])) }
      }
    }
    return symbol.filter { $0 >= 0 }
  }

  /// Returns the merge of the symbol that begins at a place and the one after it.
  private func pair(at place: Int) -> MergeTable.Merge? {
    let other = Int(next[place])
    guard symbol[place] >= 0, other < symbol.count else { return nil }
    return merges.merge(symbol[place], symbol[other])
  }

  private mutating func join(_ place: Int, to joined: Int32) {
    let other = Int(next[place])
    symbol[place] = joined
    symbol[other] = -1
    next[place] = next[other]
    if Int(next[other]) < symbol.count { previous[Int(next[other])] = Int32(truncatingIfNeeded: place) }
  }

  // MARK: The heap

  private mutating func push(_ place: Int) {
    guard let merge = pair(at: place) else { return }
    heap.append(UInt64(merge.rank) << 32 | UInt64(place))
    var child = heap.count - 1
    while child > 0, heap[(child - 1) / 2] > heap[child] {
      heap.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  private mutating func pop() {
    heap.swapAt(0, heap.count - 1)
    heap.removeLast()
    var parent = 0
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && heap[child] < heap[least] {
        least = child
      }
      guard least != parent else { return }
      heap.swapAt(parent, least)
      parent = least
    }
  }
}
