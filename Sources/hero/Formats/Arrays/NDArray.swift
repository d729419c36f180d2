/// A dense array as files hold it: a shape, an element type and the elements' bytes.
///
/// The bytes are little-endian and row-major, whatever the file's order was.
public struct NDArray: Equatable, Sendable {
  /// The size of each dimension; empty for a single number.
  public let shape: [Int]
  /// The type of the elements.
  public let type: ScalarType
  /// The elements' bytes: little-endian, last dimension fastest.
  public let bytes: [UInt8]

  /// Creates an array from bytes that are already little-endian and row-major.
  ///
  /// Throws `DataError` if the bytes do not exactly fill the shape.
  public init(shape: [Int], type: ScalarType, bytes: [UInt8]) throws {
    guard let expected = Self.byteCount(shape: shape, type: type) else {
      throw DataError("an array of shape \(shape) is impossible")
    }
    guard bytes.count == expected else {
      throw DataError(
        "an array of shape \(shape) and type \(type) takes \(expected) bytes, but there are \(bytes.count)")
    }
    self.init(unchecked: bytes, shape: shape, type: type)
  }

  /// Creates an array of 32-bit floats; `floats.count` must be the product of `shape`.
  public init(floats: [Float], shape: [Int]) {
    precondition(
      4 * floats.count == Self.byteCount(shape: shape, type: .float32),
      "\(floats.count) values do not fill shape \(shape)")
    self.init(unchecked: floats.withUnsafeBytes { [UInt8]($0) }, shape: shape, type: .float32)
  }

  init(unchecked bytes: [UInt8], shape: [Int], type: ScalarType) {
    self.shape = shape
    self.type = type
    self.bytes = bytes
  }

  /// The number of elements.
  public var count: Int { bytes.count / type.size }

  /// Returns the size in bytes of an array of this shape; nil if a dimension is negative or the
  /// product overflows.
  public static func byteCount(shape: [Int], type: ScalarType) -> Int? {
    var total = type.size
    var isEmpty = false
    for dimension in shape {
      guard dimension >= 0 else { return nil }
      if dimension == 0 {
        isEmpty = true
        continue
      }
      let (product, overflow) = total.multipliedReportingOverflow(by: dimension)
      guard !overflow else { return nil }
      total = product
    }
    return isEmpty ? 0 : total
  }

  /// Returns rows `range` of the first dimension.
  ///
  /// Throws `DataError` if the array has no dimensions or too few rows.
  public func rows(_ range: Range<Int>) throws -> NDArray {
    guard let rowCount = shape.first, range.lowerBound >= 0, range.upperBound <= rowCount else {
      throw DataError("rows \(range) asked of an array of shape \(shape)")
    }
    if range.count == rowCount { return self }
    let stride = bytes.count / max(rowCount, 1)
    let slice = bytes[range.lowerBound * stride..<range.upperBound * stride]
    return NDArray(unchecked: [UInt8](slice), shape: [range.count] + shape.dropFirst(), type: type)
  }
}
