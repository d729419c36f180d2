import CDNNL
import Foundation

/// One operation on tensors of fixed shapes, compiled for this processor.
final class Primitive {
  let handle: OpaquePointer

  /// - Parameter handle: the result of one of the shim's functions, nil if that failed.
  init(_ handle: OpaquePointer?) throws {
    guard let handle else { throw OneDNN.problem() }
    self.handle = handle
  }

  deinit { hero_primitive_free(handle) }

  func layout(_ argument: hero_argument, like wanted: Layout) throws -> Layout {
    try Layout(of: handle, argument, shape: wanted.shape, precision: wanted.precision)
  }

  /// Returns the layout of the scratch memory that a run needs, nil if it needs none.
  func scratch() -> Layout? {
    guard let layout = try? Layout(of: handle, HERO_SCRATCH, shape: [], precision: .float32), layout.bytes > 0
    else { return nil }
    return layout
  }

  func bind(
    _ argument: hero_argument, place: Int = 0, _ layout: Layout, _ elements: UnsafeMutableRawPointer
  ) throws {
    guard hero_primitive_bind(handle, argument, Int32(place), layout.handle, elements) else {
      throw OneDNN.problem()
    }
  }

  func run() throws {
    guard hero_primitive_run(handle) else { throw OneDNN.problem() }
  }

  /// The name of oneDNN's implementation.
  var implementation: String { String(cString: hero_primitive_implementation(handle)) }
}

/// Memory that starts at a cache line, as vector code prefers.
final class AlignedMemory {
  let pointer: UnsafeMutableRawPointer
  let bytes: Int

  init(bytes: Int) {
    self.bytes = bytes
    pointer = UnsafeMutableRawPointer.allocate(byteCount: max(bytes, 1), alignment: 64)
  }

  deinit { pointer.deallocate() }
}

/// A constant of a network, stored in every layout that a primitive has asked for.
final class Weight {
  let shape: [Int]
  private let plain: Layout
  private let values: AlignedMemory
  private var copies: [(layout: Layout, memory: AlignedMemory)] = []

  /// - Parameter values: row-major, as many as the shape has elements.
  init(_ values: [Float], shape: [Int]) throws {
    precondition(values.count == shape.reduce(1, *))
    self.shape = shape
    plain = try Layout(plain: shape)
    self.values = AlignedMemory(bytes: values.count * 4)
    values.withUnsafeBytes { self.values.pointer.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
  }

  /// Returns the transpose of a matrix of `rows` rows: [columns, rows].
  static func transposed(_ values: [Float], rows: Int) throws -> Weight {
    let columns = values.count / rows
    var result = [Float](repeating: 0, count: values.count)
    for row in 0..<rows {
      for column in 0..<columns { result[column * rows + row] = values[row * columns + column] }
    }
    return try Weight(result, shape: [columns, rows])
  }

  /// Returns the elements in a layout, which the first call for it computes.
  func elements(in layout: Layout) throws -> UnsafeMutableRawPointer {
    if layout.equals(plain) { return values.pointer }
    if let known = copies.first(where: { $0.layout.equals(layout) }) { return known.memory.pointer }
    let memory = AlignedMemory(bytes: layout.bytes)
    let reorder = try Primitive(hero_reorder(plain.handle, layout.handle))
    try reorder.bind(HERO_SOURCE, plain, values.pointer)
    try reorder.bind(HERO_RESULT, layout, memory.pointer)
    let scratch = reorder.scratch().map { (layout: $0, memory: AlignedMemory(bytes: $0.bytes)) }
    if let scratch { try reorder.bind(HERO_SCRATCH, scratch.layout, scratch.memory.pointer) }
    try reorder.run()
    copies.append((layout, memory))
    return memory.pointer
  }

  /// The elements row by row, in float32.
  var plainElements: (layout: Layout, elements: UnsafeMutableRawPointer) { (plain, values.pointer) }
}
