import CKernels

/// Values of either type: float32 or, in bf16, bfloat16.
extension CPUBackend {
  /// The loops over values of a type.
  func loops(_ type: ElementType) -> hero_value_loops {
    (type == .bfloat16 ? kernels.bf16 : kernels.floats).pointee
  }

  /// Rows of `count` that one float32 sum is of.
  static func summedRows(_ count: Int) -> Int {
    count > Int(HERO_SUMMED_ROWS) ? Int(HERO_SUMMED_STRETCH) : max(1, count)
  }

  /// Rounds to bfloat16, or the other way.
  func convert(_ x: Tensor, to y: Tensor) {
    precondition(x.count == y.count && x.storage.type != y.storage.type)
    if x.storage.type == .bfloat16 {
      let (from, to) = (x.bf16, y.pointer)
      pool.split(x.count, grain: 1 << 14, multiple: 16) { range, _ in
        kernels.widen(to + range.lowerBound, from + range.lowerBound, range.count)
      }
    } else {
      let (from, to) = (x.pointer, y.bf16)
      pool.split(x.count, grain: 1 << 14, multiple: 16) { range, _ in
        kernels.narrow(to + range.lowerBound, from + range.lowerBound, range.count)
      }
    }
  }

  /// Changes elements of a bfloat16 tensor as floats, some at a time.
  func changeWidened(
    _ y: Tensor, _ change: (UnsafeMutablePointer<Float>, _ range: Range<Int>) -> Void
  ) {
    let (to, most) = (y.bf16, 1024)
    pool.split(y.count, grain: 1 << 14, multiple: most) { range, _ in
      withUnsafeTemporaryAllocation(of: Float.self, capacity: most) { room in
        guard let floats = room.baseAddress else { return }
        for start in stride(from: range.lowerBound, to: range.upperBound, by: most) {
          let part = start..<min(start + most, range.upperBound)
          kernels.widen(floats, to + start, part.count)
          change(floats, part)
          kernels.narrow(to + start, floats, part.count)
        }
      }
    }
  }
}

/// The operands of one operation in one type: as they are where all are bfloat16, else in float32,
/// those that are not being copied. An operation is written once for float32, and a second time
/// only where it is worth it.
struct Staged {
  /// What all operands have now.
  let type: ElementType
  private let backend: CPUBackend
  private var results: [(wide: Tensor, result: Tensor)] = []
  /// Copies whose addresses are in use till the end.
  private var held: [Tensor] = []

  /// - Parameter tensors: all of the operands whose loops exist for both types.
  init(_ backend: CPUBackend, either tensors: Tensor?...) {
    self.backend = backend
    type = tensors.allSatisfy { $0.map { $0.storage.type == .bfloat16 } ?? true } ? .bfloat16 : .float32
  }

  /// For loops that work on float32 alone.
  init(_ backend: CPUBackend) {
    self.backend = backend
    type = .float32
  }

  /// An operand that is read.
  mutating func reading(_ x: Tensor) -> Tensor {
    if x.storage.type == type { return x }
    let wide = backend.makeTensor(rows: x.rows, columns: x.columns)
    backend.convert(x, to: wide)
    held.append(wide)
    return wide
  }

  /// One that is written; of one that is written twice both are the same.
  /// - Parameter keeps: whether what is in it counts.
  mutating func writing(_ x: Tensor, keeps: Bool = false) -> Tensor {
    if x.storage.type == type { return x }
    if let known = results.first(where: { $0.result === x }) { return known.wide }
    let wide = keeps ? reading(x) : backend.makeTensor(rows: x.rows, columns: x.columns)
    results.append((wide, x))
    return wide
  }

  /// A gradient.
  mutating func writing(_ target: GradientTarget) -> GradientTarget {
    GradientTarget(tensor: writing(target.tensor, keeps: target.accumulate), accumulate: target.accumulate)
  }

  mutating func writing(_ target: GradientTarget?) -> GradientTarget? { target.map { writing($0) } }

  /// Puts the results where they belong; to be called when the operation is done.
  func finish() {
    for (wide, result) in results { backend.convert(wide, to: result) }
  }
}

extension Tensor {
  /// The first element of values of either type.
  var values: UnsafeMutableRawPointer {
    precondition(storage.type == .float32 || storage.type == .bfloat16)
    return storage.onHost.bytes + offset * storage.type.size
  }

  /// The elements of a bfloat16 tensor.
  var bf16: UnsafeMutablePointer<hero_bf16> {
    precondition(storage.type == .bfloat16)
    return values.bindMemory(to: hero_bf16.self, capacity: count)
  }
}
