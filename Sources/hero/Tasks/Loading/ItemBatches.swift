/// Items in their order, divided into batches.
public struct ItemBatches: Sendable {
  let count: Int
  let size: Int

  /// - Parameter size: the number of items of a batch; values below 1 count as 1.
  public init(count: Int, size: Int) {
    self.count = count
    self.size = max(1, size)
  }

  /// The number of batches.
  public var batches: Int { (count + size - 1) / size }

  /// The items of a batch.
  public subscript(number: Int) -> Range<Int> { number * size..<min(count, (number + 1) * size) }

  /// Returns the items of consecutive batches.
  func range(of batches: Range<Int>) -> Range<Int> {
    min(count, batches.lowerBound * size)..<min(count, batches.upperBound * size)
  }

  /// Returns the number of items of consecutive batches.
  func items(of batches: Range<Int>) -> Int { range(of: batches).count }
}
