import Synchronization

/// The token ids of words already met, shared by threads; it stops growing at a fixed size.
final class WordCache: Sendable {
  private let shards: [Shard]

  init(capacity: Int = 1 << 17) {
    shards = (0..<16).map { _ in Shard(capacity: capacity / 16) }
  }

  /// Appends the ids of `word` to `ids`; those of a word not met before come from `make`.
  func append(
    _ word: UnsafeBufferPointer<UInt8>, to ids: inout [Int32],
    make: (UnsafeBufferPointer<UInt8>) -> [Int32]
  ) {
    guard word.count <= Shard.longestWord else {
      ids += make(word)
      return
    }
    let hash = Self.hash(word)
    let shard = shards[Int(truncatingIfNeeded: hash >> 60)]
    let isKnown = shard.table.withLock { $0.append(word, hash: hash, to: &ids) }
    if !isKnown {
      let made = make(word)
      shard.table.withLock { $0.insert(word, hash: hash, ids: made) }
      ids += made
    }
  }

  /// FNV-1a, its high bits mixed.
  private static func hash(_ word: UnsafeBufferPointer<UInt8>) -> UInt64 {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in word { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    return (hash ^ (hash >> 29)) &* 0x9E37_79B9_7F4A_7C15
  }
}

extension WordCache {
  private final class Shard: Sendable {
    static let longestWord = 64
    let table: Mutex<Table>

    init(capacity: Int) { table = Mutex(Table(capacity: capacity)) }
  }

  /// Open addressing over words and ids that lie end to end in two arrays.
  private struct Table {
    private struct Entry {
      var hash: UInt64
      var wordEnd: Int
      var idsEnd: Int
    }

    /// Twice as many as there may be entries; one more than the entry's index, or 0 for a free place.
    private var places: [Int32]
    private var entries: [Entry] = []
    private var words: [UInt8] = []
    private var ids: [Int32] = []
    private let capacity: Int

    init(capacity: Int) {
      self.capacity = capacity
      var size = 2
      while size < capacity * 2 { size *= 2 }
      places = Array(repeating: 0, count: size)
    }

    /// Where the word is, or the free place where it would be.
    private func place(of word: UnsafeBufferPointer<UInt8>, hash: UInt64) -> Int {
      var place = Int(truncatingIfNeeded: hash) & (places.count - 1)
      while places[place] != 0 {
        let index = Int(places[place]) - 1
        if entries[index].hash == hash {
          let start = index > 0 ? entries[index - 1].wordEnd : 0
          if words[start..<entries[index].wordEnd].elementsEqual(word) { break }
        }
        place = (place + 1) & (places.count - 1)
      }
      return place
    }

    func append(_ word: UnsafeBufferPointer<UInt8>, hash: UInt64, to result: inout [Int32]) -> Bool {
      let index = Int(places[place(of: word, hash: hash)]) - 1
      guard index >= 0 else { return false }
      let start = index > 0 ? entries[index - 1].idsEnd : 0
      for position in start..<entries[index].idsEnd { result.append(ids[position]) }
      return true
    }

    mutating func insert(_ word: UnsafeBufferPointer<UInt8>, hash: UInt64, ids made: [Int32]) {
      let place = place(of: word, hash: hash)
      guard entries.count < capacity, places[place] == 0 else { return }
      words += word
      ids += made
      entries.append(Entry(hash: hash, wordEnd: words.count, idsEnd: ids.count))
      places[place] = Int32(truncatingIfNeeded: entries.count)
    }
  }
}
