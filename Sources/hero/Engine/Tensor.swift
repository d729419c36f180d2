/// What the elements of a storage are.
public enum ElementType: Sendable {
  /// Values, weights, gradients.
  case float32
  /// Sums: losses and norms.
  case float64
  /// Row numbers.
  case int32

  /// Bytes of an element.
  public var size: Int { self == .float64 ? 8 : 4 }
}

/// Memory that belongs to a backend. What is inside is the backend's business.
open class Storage {
  /// Capacity in elements.
  public let count: Int
  public let type: ElementType

  public init(count: Int, type: ElementType) {
    self.count = count
    self.type = type
  }
}

/// A dense matrix, row-major and contiguous, in a backend's memory: float32, or float64 where it holds sums.
///
/// Everything the engine computes on is a matrix: the rows are tokens, frames, queries; a vector has one row.
/// Several tensors may look at one storage (parameters live in one arena).
public final class Tensor {
  public let rows: Int
  public let columns: Int
  /// Where the elements are; `offset` counts elements from its start.
  public let storage: Storage
  public let offset: Int
  /// The derivative of the loss, while a backward pass is under way.
  var gradient: Tensor?
  /// Whether a backward pass has any reason to visit this tensor.
  let needsGradient: Bool
  /// The parameters this tensor shows, in the order in which they lie in the arena; empty for an intermediate result.
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

  /// The same elements in another shape, without a gradient of their own.
  public func reshaped(rows: Int, columns: Int) -> Tensor {
    precondition(rows * columns == count)
    return Tensor(rows: rows, columns: columns, storage: storage, offset: offset)
  }
}

/// Row numbers in a backend's memory, −1 for "none". Loading threads make them (`MemoryOperations.makeIndices`), and
/// operations may write them (`argmax`).
public final class Indices: @unchecked Sendable {
  public let count: Int
  let storage: Storage

  /// - Parameter storage: int32 elements, written before another thread reads them.
  public init(count: Int, storage: Storage) {
    precondition(storage.type == .int32 && count <= storage.count)
    self.count = count
    self.storage = storage
  }
}

/// How packed rows divide into sequences: sequence `i` has the rows `offsets[i] ..< offsets[i + 1]`.
public final class Segments: Sendable {
  public let offsets: [Int]

  /// - Parameter lengths: rows of each sequence, in order; zero is allowed.
  public init(lengths: some Sequence<Int>) {
    var offsets = [0]
    for length in lengths {
      precondition(length >= 0)
      offsets.append(offsets[offsets.count - 1] + length)
    }
    self.offsets = offsets
  }

  public var count: Int { offsets.count - 1 }
  public var rows: Int { offsets[offsets.count - 1] }
  public subscript(i: Int) -> Range<Int> { offsets[i]..<offsets[i + 1] }
  public var lengths: [Int] { (0..<count).map { self[$0].count } }
  public var ranges: [Range<Int>] { (0..<count).map { self[$0] } }
}

extension Range<Int> {
  /// Whether all of it lies in `0 ..< count`.
  func isWithin(_ count: Int) -> Bool { lowerBound >= 0 && upperBound <= count }
}

/// Where a backward operation leaves a gradient.
public struct GradientTarget {
  public let tensor: Tensor
  /// Add to what is there (true) or write over it (false: nothing of worth is there).
  public let accumulate: Bool
}
