import Engine
import Synchronization

/// The order of a run's items: every epoch visits all items once, in its own order.
///
/// The items of batch n are a function of (seed, n), so a resumed run continues with the same
/// batches. Millions of items take no more memory than thousands.
///
/// A corpus of at most one stretch is shuffled as a whole. A larger one has its blocks of
/// neighbouring items shuffled first, then the items within each stretch of many blocks. A batch
/// then mixes items from everywhere. Items on the same pages of a store are read while those pages
/// are in memory.
public struct EpochOrder: Sendable {
  /// The number of items of an epoch.
  public let items: Int
  /// The number of items of a batch; the last batch of an epoch may have fewer.
  public let batchSize: Int
  private let seed: UInt64
  /// The number of items that stay together until a stretch is shuffled.
  private let block: Int
  /// The number of items that are shuffled among themselves.
  private let stretch: Int

  /// - Parameters:
  ///   - block: 32 of HowTo100M's clips take 8 MB.
  ///   - stretch: as many items as fit in memory; 16,384 of those clips take 4 GB.
  public init(items: Int, batchSize: Int, seed: UInt64, block: Int = 32, stretch: Int = 1 << 14) {
    precondition(items <= Int(UInt32.max))
    self.items = items
    self.batchSize = max(1, batchSize)
    self.seed = seed
    self.block = block
    self.stretch = stretch
  }

  /// The number of batches of an epoch, ⌈items / batchSize⌉.
  public var batchesPerEpoch: Int { (items + batchSize - 1) / batchSize }

  /// Returns the items of batch `number`, counted from the first batch of the first epoch.
  public func batch(_ number: Int) -> [Int] {
    guard items > 0 else { return [] }
    let (epoch, place) = number.quotientAndRemainder(dividingBy: batchesPerEpoch)
    let range = place * batchSize..<min(items, (place + 1) * batchSize)
    var batch: [Int] = []
    while batch.count < range.count {
      let (number, offset) = (range.lowerBound + batch.count).quotientAndRemainder(dividingBy: stretch)
      batch += stretchOrder(number, epoch: epoch)[offset...].prefix(range.count - batch.count).map(Int.init)
    }
    return batch
  }

  private var stretches: Int { (items + stretch - 1) / stretch }

  /// Returns the items of one stretch in the order of their visits.
  private func stretchOrder(_ number: Int, epoch: Int) -> [UInt32] {
    let key = Key(order: self, epoch: epoch, stretch: number)
    return Self.recent.order(key) {
      let blocks = blockOrder(epoch: epoch)
      var random = RandomStream(
        seed: seed, step: UInt64(epoch * stretches + number), for: .stretchOrder)
      // The last block may be short: the items after it move up.
      let blockCount = blocks.count
      let missing = blockCount * block - items
      let short = blocks.firstIndex { Int($0) == blockCount - 1 } ?? 0
      return (number * stretch..<min(items, (number + 1) * stretch)).map { place in
        let whole = place < (short + 1) * block - missing ? place : place + missing
        return blocks[whole / block] * UInt32(block) + UInt32(whole % block)
      }.shuffled(using: &random)
    }
  }

  private func blockOrder(epoch: Int) -> [UInt32] {
    let count = (items + block - 1) / block
    return Self.recent.order(Key(order: self, epoch: epoch, stretch: -1)) {
      var random = RandomStream(seed: seed, step: UInt64(epoch), for: .blockOrder)
      return (0..<UInt32(count)).shuffled(using: &random)
    }
  }

  private struct Key: Hashable {
    let items, block, stretch: Int
    let seed: UInt64
    let epoch, number: Int

    init(order: EpochOrder, epoch: Int, stretch number: Int) {
      (items, block, stretch, seed) = (order.items, order.block, order.stretch, order.seed)
      (self.epoch, self.number) = (epoch, number)
    }
  }

  /// A cache of the orders in use, which saves drawing them again for every batch.
  private final class Recent: Sendable {
    private let orders = Mutex<[(key: Key, order: [UInt32])]>([])
    /// Enough for the stretch and the blocks of every objective of a few corpora.
    private static let kept = 32

    func order(_ key: Key, make: () -> [UInt32]) -> [UInt32] {
      if let known = orders.withLock({ $0.first { $0.key == key }?.order }) { return known }
      let order = make()
      orders.withLock { $0 = [(key, order)] + $0.prefix(Self.kept - 1) }
      return order
    }
  }

  private static let recent = Recent()
}
