import CCUDA
import CKernels

/// x = value, for every element.
public struct Fill: Operation {
  let x: Tensor
  let value: Float

  /// - Parameter value: rounded where `x` is bfloat16.
  public init(_ x: Tensor, with value: Float) { (self.x, self.value) = (x, value) }

  /// Accepts any tensor.
  public func check() {}
  /// Nothing.
  public var reads: [(any Operand)?] { [] }
  /// `x`
  public var writes: [(any Operand)?] { [x] }
  /// The shape of `x`.
  public var shape: [Int] { x.shape }

  /// Fills stretches on all threads.
  public func run(on cpu: CPUBackend) {
    if x.storage.type == .float64 { return x.sums.update(repeating: Double(value), count: x.count) }
    x.storage.onHost.changes()
    if x.storage.type == .bfloat16 {
      let (p, element) = (x.bf16, hero_bf16(bits: BFloat16.bits(value)))
      return cpu.pool.split(x.count, grain: 1 << 17) { range, _ in
        (p + range.lowerBound).update(repeating: element, count: range.count)
      }
    }
    let p = x.pointer
    cpu.pool.split(x.count, grain: 1 << 16) { range, _ in
      (p + range.lowerBound).update(repeating: value, count: range.count)
    }
  }

  /// Fills with one kernel for all types.
  public func run(on gpu: CUDABackend) {
    gpu.changes(x)
    var arguments = hero_fill_arguments()
    (arguments.value, arguments.count) = (value, Int64(x.count))
    if x.storage.type == .float64 {
      arguments.sums = x.doubles
    } else {
      arguments.y = x.view
    }
    gpu.launch(.fill, elements: x.count, each: 8, arguments)
  }
}
