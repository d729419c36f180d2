import Engine
import Synchronization

/// Which items batch n holds: every epoch visits all items in an order of its own; its last batch may be short.
///
/// A function of (seed, n), so that a resumed run goes on with the very batch that would have come.
public struct EpochOrder: Sendable {
  public let items: Int
  public let batchSize: Int
  private let seed: UInt64
  private let shuffles: Bool

  /// Stream number of the shuffles.
  private static let stream: UInt32 = 0x5F0F

  public init(items: Int, batchSize: Int, seed: UInt64, shuffles: Bool = true) {
    self.items = items
    self.batchSize = max(1, batchSize)
    self.seed = seed
    self.shuffles = shuffles
  }

  public var batchesPerEpoch: Int { (items + batchSize - 1) / batchSize }

  /// The items of batch `number`, counted from the first batch of the first epoch.
  public func batch(_ number: Int) -> [Int] {
    guard items > 0 else { return [] }
    let place = number % batchesPerEpoch * batchSize
    let range = place..<min(items, place + batchSize)
    return shuffles ? Array(permutation(epoch: number / batchesPerEpoch)[range]) : Array(range)
  }

  private func permutation(epoch: Int) -> [Int] {
    let key = Key(items: items, seed: seed, epoch: epoch)
    return Self.recent.withLock { recent in
      if let known = recent.first(where: { $0.key == key }) { return known.order }
      var random = RandomStream(seed: seed, step: UInt64(epoch), stream: Self.stream)
      let order = Array(0..<items).shuffled(using: &random)
      recent = [(key, order)] + recent.prefix(Self.kept - 1)
      return order
    }
  }

  private struct Key: Equatable {
    var items: Int
    var seed: UInt64
    var epoch: Int
  }

  /// The orders in use, so that an epoch of a million items is not shuffled again for every batch.
  private static let recent = Mutex<[(key: Key, order: [Int])]>([])
  private static let kept = 8
}
