import CDNNL

/// The order of a tensor's elements in memory: row-major, strided, or as a primitive chooses.
final class Layout {
  let shape: [Int]
  let precision: NetworkPrecision
  let handle: OpaquePointer

  private init(_ handle: OpaquePointer?, shape: [Int], precision: NetworkPrecision) throws {
    guard let handle else { throw OneDNN.problem() }
    self.handle = handle
    self.shape = shape
    self.precision = precision
  }

  /// Creates a row-major layout.
  convenience init(plain shape: [Int], _ precision: NetworkPrecision = .float32) throws {
    try OneDNN.load()
    try self.init(
      hero_layout_plain(Int32(shape.count), shape.map(Int64.init), precision.element), shape: shape,
      precision: precision)
  }

  /// Creates a layout that leaves the order to the primitive.
  convenience init(any shape: [Int], _ precision: NetworkPrecision) throws {
    try OneDNN.load()
    try self.init(
      hero_layout_any(Int32(shape.count), shape.map(Int64.init), precision.element), shape: shape,
      precision: precision)
  }

  /// Creates a layout whose element (i, j, …) is at i·strides[0] + j·strides[1] + … elements.
  convenience init(shape: [Int], strides: [Int], _ precision: NetworkPrecision) throws {
    try OneDNN.load()
    try self.init(
      hero_layout_strided(
        Int32(shape.count), shape.map(Int64.init), strides.map(Int64.init), precision.element), shape: shape,
      precision: precision)
  }

  /// Reads the layout that a primitive chose for an argument.
  convenience init(
    of primitive: OpaquePointer, _ argument: hero_argument, shape: [Int], precision: NetworkPrecision
  ) throws {
    try self.init(hero_primitive_layout(primitive, argument), shape: shape, precision: precision)
  }

  deinit { hero_layout_free(handle) }

  var bytes: Int { hero_layout_bytes(handle) }

  func equals(_ other: Layout) -> Bool { hero_layout_equal(handle, other.handle) }
}
