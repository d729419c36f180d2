/// What the elements of a storage are.
public enum ElementType: Sendable {
  /// Values, weights, gradients.
  case float32
  /// Sums: losses and norms.
  case float64
  /// Row numbers.
  case int32
  /// Values in half the memory: float32 without its last 16 bits.
  case bfloat16

  /// Bytes of an element.
  public var size: Int {
    switch self {
    case .float64: 8
    case .float32, .int32: 4
    case .bfloat16: 2
    }
  }
}

/// Memory that belongs to a backend, which alone knows what is inside.
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

/// A dense matrix, row-major and contiguous, in a backend's memory: float32 or bfloat16 (see
/// `Precision`), or float64 where it holds sums.
///
/// Everything the engine computes on is a matrix: the rows are tokens, frames, queries; a vector
/// has one row. Several tensors may look at one storage (parameters live in one arena).
public final class Tensor {
  /// Tokens, frames or queries; 1 for a vector.
  public let rows: Int
  /// Elements of a row.
  public let columns: Int
  /// Where the elements are; `offset` counts elements from its start.
  public internal(set) var storage: Storage
  /// Elements from the storage's start to the first of the tensor.
  public let offset: Int
  /// Writes the elements once more, of what the backward pass keeps in any case; nil where that
  /// takes a product.
  var remake: (() -> Void)?
  /// The bias that was added to it last.
  var pendingBias: PendingBias?
  /// The derivative of the loss, while a backward pass is under way.
  var gradient: Tensor?
  /// Whether a backward pass has any reason to visit this tensor.
  let needsGradient: Bool
  /// The parameters this tensor shows, in the order in which they lie in the arena; empty for an
  /// intermediate result.
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

  /// Elements.
  public var count: Int { rows * columns }

  /// Rows `range` of this tensor, without a gradient of their own.
  public func rowsView(_ range: Range<Int>) -> Tensor {
    precondition(range.lowerBound >= 0 && range.upperBound <= rows)
    return Tensor(
      rows: range.count, columns: columns, storage: storage, offset: offset + range.lowerBound * columns)
  }

  /// One element, such as one of several sums.
  public func element(_ place: Int) -> Tensor {
    precondition((0..<count).contains(place))
    return Tensor(rows: 1, columns: 1, storage: storage, offset: offset + place)
  }
}

/// Row numbers in a backend's memory, −1 for "none". Loading threads make them
/// (`Backend.makeIndices`), and operations may write them (`argmax`).
public final class Indices: @unchecked Sendable {
  /// How many numbers there are.
  public let count: Int
  /// Where the numbers are; `offset` counts them from its start.
  public let storage: Storage
  /// Numbers from the storage's start to the first of these.
  public let offset: Int
  /// What the host gave the device; nil where an operation writes the numbers.
  let given: [Int32]?
  /// One more than the largest of them, found on the thread that made them.
  private let limit: Int

  /// - Parameters:
  ///   - storage: int32 elements, written before another thread reads them.
  ///   - given: what they are.
  public init(count: Int, storage: Storage, offset: Int = 0, given: [Int32]? = nil) {
    precondition(storage.type == .int32 && offset >= 0 && count >= 0 && offset + count <= storage.count)
    precondition(given.map { $0.count == count } ?? true)
    self.count = count
    self.storage = storage
    self.offset = offset
    self.given = given
    limit = Int(max(-1, given?.max() ?? -1)) + 1
  }

  /// Some of the numbers, in the same memory.
  public func view(_ range: Range<Int>) -> Indices {
    precondition(range.isWithin(count))
    return Indices(
      count: range.count, storage: storage, offset: offset + range.lowerBound,
      given: given.map { Array($0[range]) })
  }

  /// Whether the host's numbers are all below `count`: no device checks them again.
  func areBelow(_ count: Int) -> Bool { limit <= count }
}

/// How packed rows divide into sequences: sequence `i` has the rows `offsets[i] ..< offsets[i +
/// 1]`. Made on the loading threads with the batch; the host and the device have the offsets.
public final class Segments: Sendable {
  /// One more than there are sequences: from 0 to the number of rows.
  public let offsets: [Int]
  /// The offsets in the device's memory.
  public let starts: Indices

  /// - Parameter lengths: rows of each sequence, in order; zero is allowed.
  public init(lengths: some Sequence<Int>, on backend: any Backend) {
    var offsets = [0]
    for length in lengths {
      precondition(length >= 0)
      offsets.append(offsets[offsets.count - 1] + length)
    }
    self.offsets = offsets
    starts = backend.makeIndices(offsets)
  }

  /// Sequences.
  public var count: Int { offsets.count - 1 }
  /// Rows of all sequences.
  public var rows: Int { offsets[offsets.count - 1] }
  /// The rows of sequence `i`.
  public subscript(i: Int) -> Range<Int> { offsets[i]..<offsets[i + 1] }
  /// Rows of each sequence.
  public var lengths: [Int] { (0..<count).map { self[$0].count } }
  /// The rows of each sequence.
  public var ranges: [Range<Int>] { (0..<count).map { self[$0] } }
}

/// A range of rows for each of several sequences, in any order, overlapping or not; the host and
/// the device have them.
public final class RowRanges: Sendable {
  /// On the host, in the order given.
  public let ranges: [Range<Int>]
  /// First rows, and the rows after the last, in the device's memory.
  public let starts: Indices
  /// The rows after the last of each range, in the device's memory.
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

  /// Sequences.
  public var count: Int { ranges.count }
  /// The rows of sequence `i`.
  public subscript(i: Int) -> Range<Int> { ranges[i] }
  /// Rows of each sequence.
  public var lengths: [Int] { ranges.map(\.count) }
}

extension Segments {
  /// The segments' own rows.
  public var rowRanges: RowRanges { RowRanges(self) }
}

extension Range<Int> {
  /// Whether all of it lies in `0 ..< count`.
  func isWithin(_ count: Int) -> Bool { lowerBound >= 0 && upperBound <= count }
}

/// Where a backward operation leaves a gradient.
public struct GradientTarget {
  /// A tensor like the one that the gradient is of.
  public let tensor: Tensor
  /// Whether to add to the values in `tensor` or to overwrite them.
  public let accumulate: Bool
}
