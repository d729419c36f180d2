import CCUDA

/// Products by cuBLASLt, with one algorithm for each class of shapes.
///
/// The algorithm is the quickest on this device if a file can keep the choice, else cuBLASLt's
/// first proposal.
final class CUDAProducts {
  private let stream: CUDAStream
  private let memory: CUDAMemory
  private let precision: Precision
  private let handle: UnsafeMutableRawPointer
  private let workspace: BufferPool<UInt64>.Buffer
  private let choices: CUDAChoices?
  private var algorithms: [ShapeClass: CUDAAlgorithm] = [:]
  private var plans: [Shape: Plan] = [:]
  private(set) var operations = 0

  /// A factor of a product: the address of its first element, its type and its orientation.
  struct Factor {
    var address: UInt64
    var type: ElementType
    var transposed: Bool
  }

  /// The description of a product, without its addresses.
  struct Shape: Hashable {
    var (m, n, k): (Int, Int, Int)
    /// Bits for the transpositions, the types, a bias, accumulation and the addresses' alignments.
    var flags: Int
  }

  /// A class of shapes that share an algorithm: sizes are rounded up by an eighth at most.
  struct ShapeClass: Hashable {
    let shape: Shape

    init(_ shape: Shape) {
      self.shape = Shape(
        m: Self.size(shape.m), n: Self.size(shape.n), k: Self.size(shape.k), flags: shape.flags)
    }

    private static func size(_ size: Int) -> Int {
      guard size > 16 else { return size }
      let step = 1 << (Int.bitWidth - size.leadingZeroBitCount - 4)
      return (size + step - 1) / step * step
    }
  }

  /// A product's algorithm and cuBLASLt's descriptions, which cost the host as much as a launch.
  private struct Plan {
    var product: UnsafeMutableRawPointer?
    var layouts: (b: UnsafeMutableRawPointer?, a: UnsafeMutableRawPointer?, out: UnsafeMutableRawPointer?)
    var algorithm: CUDAAlgorithm = []
  }

  /// The most plans kept: batches differ in length, so new shapes never end; an update has some
  /// hundred.
  private static let mostPlans = 4096

  /// cuBLAS's numbers.
  private enum Code {
    static func type(_ type: ElementType) -> Int32 { type == .bfloat16 ? 14 : 0 }
    static let (compute32, computeTF32): (Int32, Int32) = (68, 77)
    static let (transposeFirst, transposeSecond, epilogue, bias): (Int32, Int32, Int32, Int32) = (3, 4, 7, 8)
    static let (plain, addsBias): (Int32, Int32) = (1, 4)
    static let (workspaceBytes, reductions, firstAlignment): (Int32, Int32, Int32) = (1, 3, 5)
  }

  private static let workspaceBytes = 32 << 20
  /// The most proposals that are timed.
  private static let mostProposals = 8

  /// - Parameter choices: the timed choices of all runs; nil if nothing is timed.
  init(
    _ stream: CUDAStream, _ memory: CUDAMemory, _ precision: Precision, choices: CUDAChoices?
  ) throws {
    (self.stream, self.memory, self.precision, self.choices) = (stream, memory, precision, choices)
    var handle: UnsafeMutableRawPointer?
    try CUDAStream.check(stream.functions, stream.functions.products_create(&handle), "open cuBLASLt")
    guard let handle else { throw EngineError("cuBLASLt gave no handle") }
    self.handle = handle
    workspace = memory.take(bytes: Self.workspaceBytes)
  }

  deinit {
    for plan in plans.values { discard(plan) }
    memory.give(workspace)
    _ = stream.functions.products_destroy(handle)
  }

  /// Counts operations of a product that runs elsewhere.
  func count(_ work: Int) { operations += work }

  /// Computes out = a·b (+ out) + bias for row-major a [m, k] and b [k, n].
  ///
  /// A transposed factor is stored as [k, m] or [n, k].
  /// - Parameter bias: n elements of out's type, or nil.
  /// - Returns: false, with nothing done, if cuBLASLt cannot add a bias to this product.
  @discardableResult func multiply(
    _ a: Factor, _ b: Factor, m: Int, n: Int, k: Int, accumulate: Bool, bias: UInt64? = nil, out: UInt64,
    type: ElementType
  ) -> Bool {
    let alignments = [b.address, a.address, out].map { min(8, $0.trailingZeroBitCount) }
    var flags = (a.transposed ? 1 : 0) | (b.transposed ? 2 : 0) | (accumulate ? 4 : 0) | (bias == nil ? 0 : 8)
    flags |= (a.type == .bfloat16 ? 16 : 0) | (type == .bfloat16 ? 32 : 0)
    for alignment in alignments { flags = flags << 4 | alignment }
    let shape = Shape(m: m, n: n, k: k, flags: flags)
    stream.enter()
    var (one, kept): (Float, Float) = (1, accumulate ? 1 : 0)
    func run(_ plan: Plan, to out: UInt64) -> Int32 {
      if let bias { set(plan.product, Code.bias, bias) }
      return plan.algorithm.withUnsafeBytes { algorithm in
        stream.functions.multiply(
          handle, plan.product, &one, pointer(b.address), plan.layouts.b, pointer(a.address), plan.layouts.a,
          &kept, pointer(out), plan.layouts.out, pointer(out), plan.layouts.out, algorithm.baseAddress,
          pointer(workspace.address), Self.workspaceBytes, stream.handle)
      }
    }
    if let plan = plans[shape] {
      must(run(plan, to: out), "multiply [\(m), \(k)] by [\(k), \(n)]")
      operations += 2 * m * n * k
      return true
    }
    var plan = describe(a, b, m: m, n: n, k: k, hasBias: bias != nil, type)
    if let bias { set(plan.product, Code.bias, bias) }
    let (own, bytes) = (ShapeClass(shape), alignments.map { 1 << $0 })
    if algorithms[own] == nil {
      let size = own.shape
      let typical = describe(a, b, m: size.m, n: size.n, k: size.k, hasBias: bias != nil, type)
      defer { discard(typical) }
      if let bias { set(typical.product, Code.bias, bias) }
      algorithms[own] = choice(own, typical, bytes) {
        // Timed runs that accumulate write elsewhere, so that `out` is added to once.
        let place = accumulate ? memory.take(bytes: m * n * type.size) : nil
        defer { if let place { memory.give(place) } }
        return stream.quickest(of: $0) {
          plan.algorithm = $0
          return run(plan, to: place?.address ?? out)
        }
      }
    }
    plan.algorithm = algorithms[own] ?? []
    if plan.algorithm.isEmpty || run(plan, to: out) != 0 {
      // If the class's algorithm does not fit this shape, the shape takes its own. The class keeps
      // its choice.
      guard let first = propose(plan, bytes, 1).first else {
        guard bias != nil else {
          deviceFailed("cuBLASLt has no algorithm for [\(m), \(k)] by [\(k), \(n)]")
        }
        discard(plan)
        return false
      }
      plan.algorithm = first
      must(run(plan, to: out), "multiply [\(m), \(k)] by [\(k), \(n)]")
    }
    keep(plan, for: shape)
    operations += 2 * m * n * k
    return true
  }

  /// Returns the algorithm of a class.
  ///
  /// cuBLASLt proposes for the largest sizes of the class, whichever of its shapes comes first.
  /// - Parameter quickest: returns the quickest of some algorithms for the product at hand.
  private func choice(
    _ shapes: ShapeClass, _ typical: Plan, _ alignments: [Int],
    _ quickest: ([CUDAAlgorithm]) -> CUDAAlgorithm?
  ) -> CUDAAlgorithm? {
    if let kept = choices?.kept(shapes) { return kept }
    if let choices, choices.isKept {
      let proposals = propose(typical, alignments, Self.mostProposals)
      if let best = quickest(proposals), let kept = choices.keep(best, for: shapes) { return kept }
    }
    return propose(typical, alignments, 1).first
  }

  private func describe(
    _ a: Factor, _ b: Factor, m: Int, n: Int, k: Int, hasBias: Bool, _ type: ElementType
  ) -> Plan {
    // Row-major is column-major with the sides exchanged: outᵀ = bᵀ·aᵀ.
    var product: UnsafeMutableRawPointer?
    must(
      stream.functions.product_create(
        &product, precision == .tf32 ? Code.computeTF32 : Code.compute32, 0), "describe")
    set(product, Code.transposeFirst, Int32(b.transposed ? 1 : 0))
    set(product, Code.transposeSecond, Int32(a.transposed ? 1 : 0))
    if hasBias { set(product, Code.epilogue, Code.addsBias) }
    return Plan(
      product: product,
      layouts: (
        layout(b.type, b.transposed ? (k, n) : (n, k)), layout(a.type, a.transposed ? (m, k) : (k, m)),
        layout(type, (n, m))
      ))
  }

  private func keep(_ plan: Plan, for shape: Shape) {
    if plans.count == Self.mostPlans {
      for plan in plans.values { discard(plan) }
      plans = [:]
    }
    plans[shape] = plan
  }

  private func discard(_ plan: Plan) {
    for layout in [plan.layouts.b, plan.layouts.a, plan.layouts.out] {
      _ = stream.functions.layout_destroy(layout)
    }
    _ = stream.functions.product_destroy(plan.product)
  }

  /// Returns at most `wanted` algorithms in cuBLASLt's order of speed, all with sums in a fixed
  /// order.
  private func propose(_ plan: Plan, _ alignments: [Int], _ wanted: Int) -> [CUDAAlgorithm] {
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
    // Only reductions in a fixed order are allowed.
    prefer(Code.reductions, UInt32(2))
    for (number, alignment) in (alignments + [alignments[2]]).enumerated() {
      prefer(Code.firstAlignment + Int32(number), UInt32(alignment))
    }
    var results = [hero_cuda_heuristic](repeating: hero_cuda_heuristic(), count: wanted)
    var found: Int32 = 0
    let failure = functions.heuristic(
      handle, plan.product, plan.layouts.b, plan.layouts.a, plan.layouts.out, plan.layouts.out, preference,
      Int32(wanted), &results, &found)
    guard failure == 0 else { return [] }
    return results.prefix(Int(found)).filter { $0.state == 0 }.map { result in
      withUnsafeBytes(of: result.algorithm) { [UInt64]($0.bindMemory(to: UInt64.self)) }
    }
  }

  /// Returns the layout of a column-major matrix without gaps.
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
    guard failure == 0 else { deviceFailed("cuBLASLt could not \(what): status \(failure)") }
  }

  private func pointer(_ address: UInt64) -> UnsafeMutableRawPointer? {
    UnsafeMutableRawPointer(bitPattern: UInt(address))
  }
}
