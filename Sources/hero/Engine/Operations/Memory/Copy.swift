import CCUDA

/// y = x, rounded or widened where their types differ.
public struct Copy: Operation {
  let x: Tensor
  let y: Tensor

  /// - Precondition: `x` and `y` have equally many elements.
  public init(_ x: Tensor, to y: Tensor) { (self.x, self.y) = (x, y) }

  /// Checks that both have equally many elements.
  public func check() { precondition(x.count == y.count) }
  /// `x`
  public var reads: [(any Operand)?] { [x] }
  /// `y`
  public var writes: [(any Operand)?] { [y] }

  /// Copies stretches on all threads.
  public func run(on cpu: CPUBackend) {
    y.storage.onHost.changes()
    guard x.storage.type == y.storage.type else { return cpu.convert(x, to: y) }
    let (from, to, size) = (x.values, y.values, x.storage.type.size)
    cpu.pool.split(x.count, grain: 1 << 14) { range, _ in
      let at = range.lowerBound * size
      (to + at).copyMemory(from: from + at, byteCount: range.count * size)
    }
  }

  /// Copies with one kernel for all pairs of types.
  public func run(on gpu: CUDABackend) { gpu.copy(x, to: y) }
}

/// y += x
public struct Add: Operation {
  let x: Tensor
  let y: Tensor

  /// - Precondition: `x` and `y` have equally many elements.
  public init(_ x: Tensor, to y: Tensor) { (self.x, self.y) = (x, y) }

  /// Checks that both have equally many elements.
  public func check() { precondition(x.count == y.count) }
  /// `x` and `y`
  public var reads: [(any Operand)?] { [x, y] }
  /// `y`
  public var writes: [(any Operand)?] { [y] }

  /// Adds stretches on all threads, in float32.
  public func run(on cpu: CPUBackend) {
    let kernels = cpu.kernels
    y.storage.onHost.changes()
    switch (x.storage.type, y.storage.type) {
    case (.bfloat16, .bfloat16):
      let from = x.bf16
      cpu.changeWidened(y) { kernels.add_bf16($0, from + $1.lowerBound, $1.count) }
    case (_, .bfloat16):
      let from = x.pointer
      cpu.changeWidened(y) { kernels.add($0, from + $1.lowerBound, $1.count) }
    case (.bfloat16, _):
      let (from, to) = (x.bf16, y.pointer)
      cpu.pool.split(x.count, grain: 1 << 14) { range, _ in
        kernels.add_bf16(to + range.lowerBound, from + range.lowerBound, range.count)
      }
    default:
      let (from, to) = (x.pointer, y.pointer)
      cpu.pool.split(x.count, grain: 1 << 14) { range, _ in
        kernels.add(to + range.lowerBound, from + range.lowerBound, range.count)
      }
    }
  }

  /// Adds with one kernel for all pairs of types, in float32.
  public func run(on gpu: CUDABackend) { gpu.copy(x, to: y, accumulate: true) }
}

/// x *= factor
public struct Scale: Operation {
  let x: Tensor
  let factor: Float

  /// - Parameter factor: rounded with the product where `x` is bfloat16.
  public init(_ x: Tensor, by factor: Float) { (self.x, self.factor) = (x, factor) }

  /// Accepts any tensor.
  public func check() {}
  /// `x`
  public var reads: [(any Operand)?] { [x] }
  /// `x`
  public var writes: [(any Operand)?] { [x] }

  /// Multiplies stretches on all threads.
  public func run(on cpu: CPUBackend) {
    let kernels = cpu.kernels
    x.storage.onHost.changes()
    if x.storage.type == .bfloat16 {
      return cpu.changeWidened(x) { kernels.scale($0, factor, $1.count) }
    }
    let p = x.pointer
    cpu.pool.split(x.count, grain: 1 << 14) { range, _ in
      kernels.scale(p + range.lowerBound, factor, range.count)
    }
  }

  /// Multiplies with the kernel of ``Copy``.
  public func run(on gpu: CUDABackend) { gpu.copy(x, to: x, factor: factor) }
}

extension CUDABackend {
  /// Computes y = factor·x, or y += factor·x.
  fileprivate func copy(_ x: Tensor, to y: Tensor, factor: Float = 1, accumulate: Bool = false) {
    changes(y)
    launch(
      .copy, elements: x.count, each: 4,
      hero_copy_arguments(
        x: x.view, y: y.view, factor: factor, accumulate: accumulate ? 1 : 0, count: Int64(x.count)))
  }
}
