import Formats
import Synchronization

/// The token ids of words already met, shared by threads; it stops growing at a fixed size.
final class WordCache: Sendable {
  private let shards: [Shard]

  init(capacity: Int = 1 << 17) {
    shards = (0..<16).map { _ in Shard(capacity: capacity / 16) }
  }

  /// Appends the ids of `word` to `ids`; calls `make` for a word not met before.
  func append(
    _ word: UnsafeBufferPointer<UInt8>, to ids: inout [Int32],
    make: (UnsafeBufferPointer<UInt8>) -> [Int32]
  ) {
    guard word.count <= Shard.longestWord else {
      ids += make(word)
      return
    }
    let hash = ByteTable.fastHash(word)
    let shard = shards[Int(truncatingIfNeeded: hash >> 60)]
    let isKnown = shard.table.withLock { $0.append(word, hash: hash, to: &ids) }
    if !isKnown {
      let made = make(word)
      shard.table.withLock { $0.insert(word, hash: hash, ids: made) }
      ids += made
    }
  }
}

extension WordCache {
  private final class Shard: Sendable {
    static let longestWord = 64
    let table: Mutex<Table>

    init(capacity: Int) { table = Mutex(Table(capacity: capacity)) }
  }

  /// Words and their ids, end to end in two arrays.
  private struct Table {
    private var table: ByteTable
    private var ends: [(word: Int, ids: Int)] = []
    private var words: [UInt8] = []
    private var ids: [Int32] = []
    private let capacity: Int

    init(capacity: Int) {
      self.capacity = capacity
      table = ByteTable(capacity: capacity)
    }

    private func number(of word: UnsafeBufferPointer<UInt8>, hash: UInt64) -> Int? {
      table.number(hash: UInt32(truncatingIfNeeded: hash)) { number in
        let start = number > 0 ? ends[number - 1].word : 0
        guard ends[number].word - start == word.count else { return false }
        return words.withUnsafeBufferPointer { words in
          word.indices.allSatisfy { words[start + $0] == word[$0] }
        }
      }
    }

    func append(_ word: UnsafeBufferPointer<UInt8>, hash: UInt64, to result: inout [Int32]) -> Bool {
      guard let number = number(of: word, hash: hash) else { return false }
      let start = number > 0 ? ends[number - 1].ids : 0
      for position in start..<ends[number].ids { result.append(ids[position]) }
      return true
    }

    mutating func insert(_ word: UnsafeBufferPointer<UInt8>, hash: UInt64, ids made: [Int32]) {
      guard ends.count < capacity, number(of: word, hash: hash) == nil else { return }
      words += word
      ids += made
      ends.append((words.count, ids.count))
      table.append(hash: UInt32(truncatingIfNeeded: hash))
    }
  }
}
