import CCUDA

/// Products by cuBLASLt, whose algorithm is chosen once for each class of shapes.
final class CUDAProducts {
  private let stream: CUDAStream
  private let memory: CUDAMemory
  private let precision: Precision
  private let handle: UnsafeMutableRawPointer
  private let workspace: (address: UInt64, capacity: Int)
  private var algorithms: [Shape: hero_cuda_heuristic] = [:]
  private(set) var operations = 0

  /// A factor: its first element and how its rows lie, each type of element by cuBLAS's number.
  struct Factor {
    var address: UInt64
    var type: ElementType
    var transposed: Bool
  }

  /// What an algorithm is chosen by. Sizes stand for those of their class: an eighth apart or less.
  private struct Shape: Hashable {
    var sizes: [Int]
    var flags: [Int]
  }

  /// cuBLAS's numbers.
  private enum Code {
    static func type(_ type: ElementType) -> Int32 { type == .bfloat16 ? 14 : 0 }
    static let (compute32, computeTF32): (Int32, Int32) = (68, 77)
    static let (transposeFirst, transposeSecond, epilogue, bias): (Int32, Int32, Int32, Int32) = (3, 4, 7, 8)
    static let (plain, addsBias): (Int32, Int32) = (1, 4)
    static let (workspaceBytes, reductions, firstAlignment): (Int32, Int32, Int32) = (1, 3, 5)
  }

  private static let workspaceBytes = 32 << 20

  init(_ stream: CUDAStream, _ memory: CUDAMemory, _ precision: Precision) throws {
    (self.stream, self.memory, self.precision) = (stream, memory, precision)
    var handle: UnsafeMutableRawPointer?
    try CUDAStream.check(stream.functions, stream.functions.products_create(&handle), "open cuBLASLt")
    guard let handle else { throw EngineError("cuBLASLt gave no handle") }
    self.handle = handle
    workspace = memory.take(bytes: Self.workspaceBytes)
  }

  deinit {
    memory.give(workspace.address, capacity: workspace.capacity)
    _ = stream.functions.products_destroy(handle)
  }

  /// Adds work that is done elsewhere.
  func count(_ work: Int) { operations += work }

  /// out = a·b (+ out) + bias, of [m, k] and [k, n], row-major; a transposed factor lies the other way round.
  /// - Parameter bias: n elements of out's type, or nil.
  /// - Returns: false where nothing was done, because cuBLASLt adds no bias to this product.
  @discardableResult func multiply(
    _ a: Factor, _ b: Factor, m: Int, n: Int, k: Int, accumulate: Bool, bias: UInt64? = nil, out: UInt64,
    type: ElementType
  ) -> Bool {
    let functions = stream.functions
    stream.enter()
    // Row-major is column-major with the sides exchanged: outᵀ = bᵀ·aᵀ.
    var product: UnsafeMutableRawPointer?
    must(
      functions.product_create(&product, precision == .tf32 ? Code.computeTF32 : Code.compute32, 0),
      "describe")
    defer { _ = functions.product_destroy(product) }
    set(product, Code.transposeFirst, Int32(b.transposed ? 1 : 0))
    set(product, Code.transposeSecond, Int32(a.transposed ? 1 : 0))
    if let bias {
      set(product, Code.epilogue, Code.addsBias)
      set(product, Code.bias, bias)
    }
    let layouts = [
      layout(b.type, b.transposed ? (k, n) : (n, k)), layout(a.type, a.transposed ? (m, k) : (k, m)),
      layout(type, (n, m)),
    ]
    defer { for layout in layouts { _ = functions.layout_destroy(layout) } }
    let alignments = [b.address, a.address, out].map { 1 << min(8, $0.trailingZeroBitCount) }
    let shape = Shape(
      sizes: [m, n, k].map { Self.sizeClass($0) },
      flags: [
        a.transposed ? 1 : 0, b.transposed ? 1 : 0, accumulate ? 1 : 0, bias == nil ? 0 : 1,
        Int(Code.type(a.type)), Int(Code.type(type)),
      ] + alignments)
    var (one, kept): (Float, Float) = (1, accumulate ? 1 : 0)
    func run(_ algorithm: hero_cuda_heuristic) -> Int32 {
      withUnsafeBytes(of: algorithm.algorithm) { algorithm in
        functions.multiply(
          handle, product, &one, pointer(b.address), layouts[0], pointer(a.address), layouts[1], &kept,
          pointer(out), layouts[2], pointer(out), layouts[2], algorithm.baseAddress,
          pointer(workspace.address),
          Self.workspaceBytes, stream.handle)
      }
    }
    if let known = algorithms[shape], run(known) == 0 {
      operations += 2 * m * n * k
      return true
    }
    // The first of its class, or one that the class's algorithm does not fit.
    guard let chosen = choose(product, layouts, alignments) else {
      guard bias != nil else { fatalError("cuBLASLt has no algorithm for [\(m), \(k)] by [\(k), \(n)]") }
      return false
    }
    algorithms[shape] = chosen
    must(run(chosen), "multiply [\(m), \(k)] by [\(k), \(n)]")
    operations += 2 * m * n * k
    return true
  }

  private func choose(
    _ product: UnsafeMutableRawPointer?, _ layouts: [UnsafeMutableRawPointer?], _ alignments: [Int]
  ) -> hero_cuda_heuristic? {
    let functions = stream.functions
    var preference: UnsafeMutableRawPointer?
    must(functions.preference_create(&preference), "prefer")
    defer { _ = functions.preference_destroy(preference) }
    func prefer<Value>(_ attribute: Int32, _ value: Value) {
      let failure = withUnsafeBytes(of: value) {
        functions.preference_set(preference, attribute, $0.baseAddress, $0.count)
      }
      must(failure, "prefer")
    }
    prefer(Code.workspaceBytes, UInt64(Self.workspaceBytes))
    // Parts of a sum are added in a fixed order only.
    prefer(Code.reductions, UInt32(2))
    for (number, alignment) in (alignments + [alignments[2]]).enumerated() {
      prefer(Code.firstAlignment + Int32(number), UInt32(alignment))
    }
    var (result, found) = (hero_cuda_heuristic(), Int32(0))
    let failure = functions.heuristic(
      handle, product, layouts[0], layouts[1], layouts[2], layouts[2], preference, 1, &result, &found)
    return failure == 0 && found > 0 ? result : nil
  }

  /// Column-major, without gaps.
  private func layout(_ type: ElementType, _ shape: (rows: Int, columns: Int)) -> UnsafeMutableRawPointer? {
    var layout: UnsafeMutableRawPointer?
    must(
      stream.functions.layout_create(
        &layout, Code.type(type), UInt64(shape.rows), UInt64(shape.columns), Int64(shape.rows)), "describe")
    return layout
  }

  private func set<Value>(_ product: UnsafeMutableRawPointer?, _ attribute: Int32, _ value: Value) {
    let failure = withUnsafeBytes(of: value) {
      stream.functions.product_set(product, attribute, $0.baseAddress, $0.count)
    }
    must(failure, "describe")
  }

  private func must(_ failure: Int32, _ what: String) {
    guard failure == 0 else { fatalError("cuBLASLt could not \(what): status \(failure)") }
  }

  private func pointer(_ address: UInt64) -> UnsafeMutableRawPointer? {
    UnsafeMutableRawPointer(bitPattern: UInt(address))
  }

  private static func sizeClass(_ size: Int) -> Int {
    guard size > 16 else { return size }
    let step = 1 << (Int.bitWidth - size.leadingZeroBitCount - 4)
    return (size + step - 1) / step * step
  }
}
