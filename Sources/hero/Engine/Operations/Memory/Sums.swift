import CCUDA
import CKernels

/// sums[place] += scale·Σ x. sums: float64.
public struct AddSum: Operation {
  let x: Tensor
  let scale: Double
  let sums: Tensor
  let place: Int

  /// - Parameters:
  ///   - sums: float64.
  ///   - place: the number of the element that grows.
  public init(_ x: Tensor, scale: Double, to sums: Tensor, at place: Int) {
    (self.x, self.scale, self.sums, self.place) = (x, scale, sums, place)
  }

  /// Checks that the sums are float64 and have the place.
  public func check() { precondition(sums.storage.type == .float64 && (0..<sums.count).contains(place)) }
  /// `x`
  public var reads: [(any Operand)?] { [x] }
  /// One element of the sums, read before it is written.
  public var writes: [(any Operand)?] {
    [GradientTarget(tensor: sums.element(place), accumulate: true)]
  }

  /// Adds in float64, in order.
  public func run(on cpu: CPUBackend) {
    sums.sums[place] +=
      scale * UnsafeBufferPointer(start: x.pointer, count: x.count).reduce(0) { $0 + Double($1) }
  }

  /// Adds in float64, in a fixed order of parts.
  public func run(on gpu: CUDABackend) {
    gpu.addSum(x, squared: false, scale: scale, to: sums.element(place))
  }
}

/// sums[place] += Σ x² of several tensors, as if they lay end to end. sums: float64.
struct AddSumOfSquares: Operation {
  let x: [Tensor]
  let sums: Tensor
  let place: Int

  func check() { precondition(sums.storage.type == .float64 && (0..<sums.count).contains(place)) }
  var reads: [(any Operand)?] { x }
  var writes: [(any Operand)?] { [GradientTarget(tensor: sums.element(place), accumulate: true)] }

  func run(on cpu: CPUBackend) {
    nonisolated(unsafe) let pieces = x.map { UnsafeBufferPointer(start: $0.pointer, count: $0.count) }
    var parts = [Double](repeating: 0, count: cpu.pool.threads)
    parts.withUnsafeMutableBufferPointer { parts in
      nonisolated(unsafe) let parts = parts
      // Blocks start at the same places for any number of threads.
      cpu.pool.split(x.reduce(0) { $0 + $1.count }, grain: 1 << 16, multiple: Self.block) { range, part in
        parts[part] = Self.sumOfSquares(pieces, range, cpu.kernels)
      }
    }
    sums.sums[place] += parts.reduce(0, +)
  }

  func run(on gpu: CUDABackend) {
    for x in x { gpu.addSum(x, squared: true, scale: 1, to: sums.element(place)) }
  }

  /// The number of elements that one float32 sum covers.
  private static let block = 4096

  /// Returns the sum of the squares in a range of the pieces, as if they lay end to end.
  ///
  /// A block that lies in several pieces is put together first, so that the sum does not depend on
  /// where they end.
  private static func sumOfSquares(
    _ pieces: [UnsafeBufferPointer<Float>], _ range: Range<Int>, _ kernels: hero_kernels
  ) -> Double {
    var total = 0.0
    var (start, at) = (0, range.lowerBound)
    var whole: [Float] = []
    for piece in pieces {
      let end = start + piece.count
      defer { start = end }
      while at < min(end, range.upperBound), let base = piece.baseAddress {
        let source = base + (at - start)
        var count = min(end, range.upperBound) - at
        if whole.isEmpty, end >= range.upperBound || count >= block {
          if end < range.upperBound { count -= count % block }
          total += kernels.sum_of_squares(source, count)
        } else {
          count = min(count, block - whole.count)
          whole += UnsafeBufferPointer(start: source, count: count)
          if whole.count == block || at + count == range.upperBound {
            total += kernels.sum_of_squares(whole, whole.count)
            whole.removeAll(keepingCapacity: true)
          }
        }
        at += count
      }
    }
    return total
  }
}

extension CUDABackend {
  /// Adds scale·Σ x, or scale·Σ x², to a float64 in a fixed order.
  ///
  /// Every block sums a stretch of its own, whose length depends only on the count; one block then
  /// sums the stretches.
  fileprivate func addSum(_ x: Tensor, squared: Bool, scale: Double, to sum: Tensor) {
    guard x.count > 0 else { return }
    let stretch = max(8192, (x.count + 1023) / 1024)
    let count = (x.count + stretch - 1) / stretch
    let parts = Tensor(rows: 1, columns: count, storage: makeStorage(count: count, type: .float64))
    launch(
      .sumElements, grid: (count, 1, 1), block: 256,
      hero_sum_arguments(
        x: x.view, parts: parts.doubles, count: Int64(x.count), stretch: Int64(stretch),
        squares: squared ? 1 : 0))
    launch(
      .addTotal, grid: (1, 1, 1), block: 256,
      hero_total_arguments(
        parts: parts.doubles.map { UnsafePointer($0) }, to: sum.doubles, scale: scale,
        part_count: Int32(count)))
  }
}
