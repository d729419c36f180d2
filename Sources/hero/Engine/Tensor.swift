/// The type of a storage's elements.
public enum ElementType: Sendable {
  /// Values, weights, gradients.
  case float32
  /// Sums: losses and norms.
  case float64
  /// Row numbers.
  case int32
  /// Values in half the memory: float32 without its last 16 bits.
  case bfloat16

  /// The size of an element in bytes.
  public var size: Int {
    switch self {
    case .float64: 8
    case .float32, .int32: 4
    case .bfloat16: 2
    }
  }
}

/// Memory of a backend, which alone knows its contents.
open class Storage {
  /// Capacity in elements.
  public let count: Int
  /// The type of every element.
  public let type: ElementType

  /// - Parameter count: capacity in elements.
  public init(count: Int, type: ElementType) {
    self.count = count
    self.type = type
  }
}

/// A dense matrix, row-major and contiguous, in a backend's memory.
///
/// Its elements are float32 or bfloat16 (see `Precision`), or float64 for sums. The engine computes
/// on matrices only: rows are tokens, frames or queries, and a vector has one row. Several tensors
/// may share one storage, as parameters share an arena.
public final class Tensor {
  /// The number of tokens, frames or queries; 1 for a vector.
  public let rows: Int
  /// The number of elements in a row.
  public let columns: Int
  /// The storage of the elements, which begin at `offset`.
  public internal(set) var storage: Storage
  /// The offset of the first element in the storage, in elements.
  public let offset: Int
  /// Recomputes the elements from what the backward pass keeps anyway; nil where that takes a
  /// product.
  var remake: (() -> Void)?
  /// The bias that was added to the tensor last.
  var pendingBias: PendingBias?
  /// The gradient of the loss, during a backward pass.
  var gradient: Tensor?
  /// Whether a backward pass has to visit this tensor.
  let needsGradient: Bool
  /// The parameters whose values this tensor is, in the order of the arena; empty for an
  /// activation.
  let parameters: [Parameter]

  init(
    rows: Int, columns: Int, storage: Storage, offset: Int = 0, needsGradient: Bool = false,
    parameters: [Parameter] = []
  ) {
    precondition(offset >= 0 && rows >= 0 && columns >= 0 && offset + rows * columns <= storage.count)
    self.rows = rows
    self.columns = columns
    self.storage = storage
    self.offset = offset
    self.needsGradient = needsGradient
    self.parameters = parameters
  }

  /// The number of elements.
  public var count: Int { rows * columns }

  /// Returns a view of the rows `range`, without a gradient of its own.
  public func rowsView(_ range: Range<Int>) -> Tensor {
    precondition(range.lowerBound >= 0 && range.upperBound <= rows)
    return Tensor(
      rows: range.count, columns: columns, storage: storage, offset: offset + range.lowerBound * columns)
  }

  /// Returns a view of one element, such as one of several sums.
  public func element(_ place: Int) -> Tensor {
    precondition((0..<count).contains(place))
    return Tensor(rows: 1, columns: 1, storage: storage, offset: offset + place)
  }
}

/// Row numbers in a backend's memory, −1 for "none".
///
/// Loading threads make them (`Backend.makeIndices`); operations may write them (`Argmax`).
public final class Indices: @unchecked Sendable {
  /// The number of row numbers.
  public let count: Int
  /// The storage of the numbers, which begin at `offset`.
  public let storage: Storage
  /// The offset of the first number in the storage, in numbers.
  public let offset: Int
  /// The numbers that the host gave the device; nil where an operation writes them.
  let given: [Int32]?
  /// One more than the largest of the given numbers, found on the thread that made them.
  private let limit: Int

  /// - Parameters:
  ///   - storage: int32 elements, written before another thread reads them.
  ///   - given: the numbers, where the host knows them.
  public init(count: Int, storage: Storage, offset: Int = 0, given: [Int32]? = nil) {
    precondition(storage.type == .int32 && offset >= 0 && count >= 0 && offset + count <= storage.count)
    precondition(given.map { $0.count == count } ?? true)
    self.count = count
    self.storage = storage
    self.offset = offset
    self.given = given
    limit = Int(max(-1, given?.max() ?? -1)) + 1
  }

  /// Returns a view of some of the numbers.
  public func view(_ range: Range<Int>) -> Indices {
    precondition(range.isWithin(count))
    return Indices(
      count: range.count, storage: storage, offset: offset + range.lowerBound,
      given: given.map { Array($0[range]) })
  }

  /// Returns whether the host's numbers are all below `count`; no device checks them again.
  func areBelow(_ count: Int) -> Bool { limit <= count }
}

/// The division of packed rows into sequences.
///
/// Sequence `i` has the rows `offsets[i] ..< offsets[i + 1]`. Loading threads make the division
/// with the batch; the host and the device both hold the offsets.
public final class Segments: Sendable {
  /// The row offsets, from 0 to the number of rows: one more than there are sequences.
  public let offsets: [Int]
  /// The offsets in the device's memory.
  public let starts: Indices

  /// - Parameter lengths: the number of rows of each sequence, in order; zero is allowed.
  public init(lengths: some Sequence<Int>, on backend: any Backend) {
    var offsets = [0]
    for length in lengths {
      precondition(length >= 0)
      offsets.append(offsets[offsets.count - 1] + length)
    }
    self.offsets = offsets
    starts = backend.makeIndices(offsets)
  }

  /// The number of sequences.
  public var count: Int { offsets.count - 1 }
  /// The number of rows of all sequences.
  public var rows: Int { offsets[offsets.count - 1] }
  /// The rows of sequence `i`.
  public subscript(i: Int) -> Range<Int> { offsets[i]..<offsets[i + 1] }
  /// The number of rows of each sequence.
  public var lengths: [Int] { (0..<count).map { self[$0].count } }
  /// The range of rows of each sequence.
  public var ranges: [Range<Int>] { (0..<count).map { self[$0] } }
}

/// A range of rows for each of several sequences, in any order, overlapping or not; the host and
/// the device both hold them.
public final class RowRanges: Sendable {
  /// The ranges on the host, in the order given.
  public let ranges: [Range<Int>]
  /// The first row of each range, in the device's memory.
  public let starts: Indices
  /// The row after the last of each range, in the device's memory.
  public let ends: Indices

  /// - Parameter ranges: rows of some tensor; they may overlap.
  public init(_ ranges: [Range<Int>], on backend: any Backend) {
    self.ranges = ranges
    let bounds = backend.makeIndices(ranges.map(\.lowerBound) + ranges.map(\.upperBound))
    starts = bounds.view(0..<ranges.count)
    ends = bounds.view(ranges.count..<2 * ranges.count)
  }

  fileprivate init(_ segments: Segments) {
    ranges = segments.ranges
    starts = segments.starts.view(0..<segments.count)
    ends = segments.starts.view(1..<segments.count + 1)
  }

  /// The number of sequences.
  public var count: Int { ranges.count }
  /// The rows of sequence `i`.
  public subscript(i: Int) -> Range<Int> { ranges[i] }
  /// The number of rows of each sequence.
  public var lengths: [Int] { ranges.map(\.count) }
}

extension Segments {
  /// The rows of each segment.
  public var rowRanges: RowRanges { RowRanges(self) }
}

extension Range<Int> {
  /// Returns whether the range lies in `0 ..< count`.
  func isWithin(_ count: Int) -> Bool { lowerBound >= 0 && upperBound <= count }
}

/// The place where a backward operation leaves a gradient.
public struct GradientTarget {
  /// The tensor that receives the gradient, of the same shape as what the gradient is of.
  public let tensor: Tensor
  /// Whether to add to the values in `tensor` instead of overwriting them.
  public let accumulate: Bool
}
