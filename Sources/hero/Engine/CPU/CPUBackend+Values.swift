import CKernels

/// Operations on values of either type: float32 or, in bf16, bfloat16.
extension CPUBackend {
  /// Returns the loops over values of a type.
  func loops(_ type: ElementType) -> hero_value_loops {
    (type == .bfloat16 ? kernels.bf16 : kernels.floats).pointee
  }

  /// Returns how many of `count` rows one float32 sum covers.
  static func summedRows(_ count: Int) -> Int {
    count > Int(HERO_SUMMED_ROWS) ? Int(HERO_SUMMED_STRETCH) : max(1, count)
  }

  /// Rounds to bfloat16 or widens to float32.
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

  /// Changes the elements of a bfloat16 tensor as floats, some at a time.
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

/// The operands of one operation in one type: bfloat16 if all are, else float32, with the others
/// copied.
///
/// So an operation is written once for float32, and for bfloat16 only where that is worth it.
struct Staged {
  /// The type that all operands have.
  let type: ElementType
  private let backend: CPUBackend
  private var results: [(wide: Tensor, result: Tensor)] = []
  /// The copies whose addresses are in use until the end.
  private var held: [Tensor] = []

  /// - Parameter tensors: all operands whose loops exist for both types.
  init(_ backend: CPUBackend, either tensors: Tensor?...) {
    self.backend = backend
    type = tensors.allSatisfy { $0.map { $0.storage.type == .bfloat16 } ?? true } ? .bfloat16 : .float32
  }

  /// Stages operands for loops that work on float32 alone.
  init(_ backend: CPUBackend) {
    self.backend = backend
    type = .float32
  }

  /// Returns an operand for reading.
  mutating func reading(_ x: Tensor) -> Tensor {
    if x.storage.type == type { return x }
    let wide = backend.makeTensor(rows: x.rows, columns: x.columns)
    backend.convert(x, to: wide)
    held.append(wide)
    return wide
  }

  /// Returns an operand for writing; asked twice for one tensor, it returns the same copy.
  /// - Parameter keeps: whether the operation needs the contents.
  mutating func writing(_ x: Tensor, keeps: Bool = false) -> Tensor {
    if x.storage.type == type { return x }
    if let known = results.first(where: { $0.result === x }) { return known.wide }
    let wide = keeps ? reading(x) : backend.makeTensor(rows: x.rows, columns: x.columns)
    results.append((wide, x))
    return wide
  }

  /// Returns a gradient for writing.
  mutating func writing(_ target: GradientTarget) -> GradientTarget {
    GradientTarget(tensor: writing(target.tensor, keeps: target.accumulate), accumulate: target.accumulate)
  }

  mutating func writing(_ target: GradientTarget?) -> GradientTarget? { target.map { writing($0) } }

  /// Converts the copies back to the results, at the end of the operation.
  func finish() {
    for (wide, result) in results { backend.convert(wide, to: result) }
  }
}

extension Tensor {
  /// The address of the first element, of either type.
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
