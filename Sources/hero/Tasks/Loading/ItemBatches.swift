/// Items in their order, some at a time.
public struct ItemBatches: Sendable {
  let count: Int
  let size: Int

  /// - Parameter size: items a batch, at least 1; smaller values count as 1.
  public init(count: Int, size: Int) {
    self.count = count
    self.size = max(1, size)
  }

  /// How many batches there are.
  public var batches: Int { (count + size - 1) / size }

  /// The items of a batch.
  public subscript(number: Int) -> Range<Int> { number * size..<min(count, (number + 1) * size) }

  /// The items of some batches in a row.
  func range(of batches: Range<Int>) -> Range<Int> {
    min(count, batches.lowerBound * size)..<min(count, batches.upperBound * size)
  }

  /// How many those are.
  func items(of batches: Range<Int>) -> Int { range(of: batches).count }
}
