import CKernels
import COpenBLAS
import Dispatch

extension CPUBackend {
  /// C = op(A)·op(B) (+ C), divided over the threads along C's longer side.
  ///
  /// OpenBLAS packs the undivided operand once a thread; along the longer side that costs least.
  func product(
    _ a: UnsafePointer<Float>, transposed ta: Bool, lda: Int, _ b: UnsafePointer<Float>, transposed tb: Bool,
    ldb: Int, m: Int, n: Int, k: Int, accumulate: Bool, c: UnsafeMutablePointer<Float>, ldc: Int
  ) {
    guard m > 0, n > 0 else { return }
    operations += 2 * m * n * k
    let beta: Float = accumulate ? 1 : 0
    let small = m * n * k < 1 << 17
    if m >= n {
      pool.split(m, grain: small ? m : 8, multiple: 8) { rows, _ in
        let start = rows.lowerBound
        hero_sgemm(
          ta, tb, rows.count, n, k, 1, a + (ta ? start : start * lda), lda, b, ldb, beta, c + start * ldc, ldc
        )
      }
    } else {
      pool.split(n, grain: small ? n : 16, multiple: 16) { columns, _ in
        let start = columns.lowerBound
        hero_sgemm(
          ta, tb, m, columns.count, k, 1, a, lda, b + (tb ? start * ldb : start), ldb, beta, c + start, ldc)
      }
    }
  }

  /// The best of several products of 2,048 columns, each thread with 2,048 rows.
  public func measurePeak() -> Double {
    let side = 2048
    let (a, b, c) = (
      makeSquares(pool.threads, side: side), makeSquares(1, side: side),
      makeSquares(pool.threads, side: side)
    )
    for tensor in [a, b] { fill(tensor, with: 0.5) }
    var best = 0.0
    for _ in 0..<6 {
      let before = (operations, DispatchTime.now().uptimeNanoseconds)
      linear(a, weight: b, bias: nil, activation: .none, pre: c, out: c)
      let seconds = Double(DispatchTime.now().uptimeNanoseconds - before.1) * 1e-9
      best = max(best, Double(operations - before.0) / seconds)
    }
    return best
  }

  private func makeSquares(_ count: Int, side: Int) -> Tensor {
    Tensor(
      rows: count * side, columns: side,
      storage: makeStorage(count: count * side * side, type: precision.activations))
  }

  /// Rows up to which a product is done without OpenBLAS (see `thin.h`), and in bf16 with weights
  /// that are kept packed.
  static let thinRows = 32

  /// out = x·weightᵀ for few rows of x.
  private func thinProduct(_ x: Tensor, _ weight: Tensor, into out: Tensor) {
    let (rows, inner, columns) = (x.rows, x.columns, weight.rows)
    guard rows > 0 else { return }
    operations += 2 * rows * inner * columns
    let width = hero_padded(rows)
    let storage = scratch(parts: 1, each: inner * width)
    let (packed, from, w, to) = (storage.pointer, x.pointer, weight.pointer, out.pointer)
    packed.update(repeating: 0, count: inner * width)
    for r in 0..<rows {
      for k in 0..<inner { packed[k * width + r] = from[r * inner + k] }
    }
    pool.split(columns, grain: 48, multiple: 12) { range, _ in
      kernels.thin_product(
        to + range.lowerBound, columns, packed, rows, w + range.lowerBound * inner, range.count, inner)
    }
    withExtendedLifetime(storage) {}
  }

  public func linear(
    _ x: Tensor, weight: Tensor, bias: Tensor?, activation: Activation, pre: Tensor, out: Tensor
  ) {
    let (rows, inner, columns) = (x.rows, x.columns, weight.rows)
    precondition(weight.columns == inner && out.rows == rows && out.columns == columns)
    precondition(bias?.count ?? columns == columns && pre.count == out.count)
    if precision == .bf16 {
      precondition(activation != .gelu || pre.storage.type == out.storage.type)
      return brainProduct(
        BrainFactor(tensor: x, isAcross: false), BrainFactor(tensor: weight, isAcross: false), m: rows,
        n: columns, k: inner, BrainResult(out: out, bias: bias, activation: activation, pre: pre))
    }
    let target = activation == .gelu ? pre : out
    if rows <= Self.thinRows, columns >= 64 {
      thinProduct(x, weight, into: target)
    } else {
      product(
        x.pointer, transposed: false, lda: inner, weight.pointer, transposed: true, ldb: inner, m: rows,
        n: columns,
        k: inner, accumulate: false, c: target.pointer, ldc: columns)
    }
    let (argument, result, shift) = (target.pointer, out.pointer, bias?.pointer)
    if activation == .none && bias == nil { return }
    pool.split(rows, grain: 1 + (1 << 13) / max(1, columns)) { range, _ in
      let start = range.lowerBound * columns
      switch activation {
      case .none: kernels.bias(result + start, shift, range.count, columns)
      case .relu: kernels.bias_relu(result + start, shift, range.count, columns)
      case .gelu: kernels.bias_gelu(argument + start, result + start, shift, range.count, columns)
      case .quickGELU: kernels.bias_quick_gelu(result + start, shift, range.count, columns)
      }
    }
  }

  public func geluAgain(_ pre: Tensor, dy: Tensor, out: Tensor) {
    precondition(dy.count == pre.count && out.count == pre.count)
    var staged = Staged(self, either: pre, dy, out)
    defer { staged.finish() }
    let (loops, size) = (loops(staged.type), staged.type.size)
    let (argument, gradient) = (staged.reading(pre).values, staged.writing(dy, keeps: true).values)
    let result = staged.writing(out).values
    pool.split(pre.count, grain: 1 << 13, multiple: 16) { range, _ in
      let at = range.lowerBound * size
      loops.gelu_again(result + at, gradient + at, argument + at, range.count)
    }
  }

  public func linearBackward(
    _ dy: Tensor, x: Tensor, weight: Tensor, activation: Activation, saved: Tensor, dx: GradientTarget?,
    dWeight: GradientTarget?, dBias: GradientTarget?
  ) {
    let (rows, inner, columns) = (x.rows, x.columns, weight.rows)
    if activation != .none { slope(dy, saved: saved, activation) }
    if let dBias {
      let (loops, size) = (loops(dy.storage.type), dy.storage.type.size)
      let (sums, gradient) = (dBias.tensor.pointer, dy.values)
      pool.split(columns, grain: 64, multiple: 64) { range, _ in
        loops.column_sums(
          sums + range.lowerBound, gradient + range.lowerBound * size, columns, rows, range.count,
          dBias.accumulate)
      }
    }
    if precision == .bf16 {
      if let dx {
        brainProduct(
          BrainFactor(tensor: dy, isAcross: false), BrainFactor(tensor: weight, isAcross: true), m: rows,
          n: inner, k: columns, BrainResult(out: dx.tensor, accumulate: dx.accumulate))
      }
      if let dWeight {
        brainProduct(
          BrainFactor(tensor: dy, isAcross: true), BrainFactor(tensor: x, isAcross: true), m: columns,
          n: inner, k: rows, BrainResult(out: dWeight.tensor, accumulate: dWeight.accumulate))
      }
      return
    }
    let gradient = dy.pointer
    if let dx {
      product(
        gradient, transposed: false, lda: columns, weight.pointer, transposed: false, ldb: inner, m: rows,
        n: inner,
        k: columns, accumulate: dx.accumulate, c: dx.tensor.pointer, ldc: inner)
    }
    if let dWeight {
      product(
        gradient, transposed: true, lda: columns, x.pointer, transposed: false, ldb: inner, m: columns,
        n: inner,
        k: rows, accumulate: dWeight.accumulate, c: dWeight.tensor.pointer, ldc: inner)
    }
  }

  /// dy times the slope of the activation.
  private func slope(_ dy: Tensor, saved: Tensor, _ activation: Activation) {
    var staged = Staged(self, either: dy, saved)
    defer { staged.finish() }
    let (loops, size) = (loops(staged.type), staged.type.size)
    let (gradient, kept) = (staged.writing(dy, keeps: true).values, staged.reading(saved).values)
    pool.split(dy.count, grain: 1 << 13, multiple: 16) { range, _ in
      let at = range.lowerBound * size
      switch activation {
      case .none: break
      case .relu: loops.relu_backward(gradient + at, gradient + at, kept + at, range.count)
      case .gelu: loops.gelu_backward(gradient + at, gradient + at, kept + at, range.count)
      case .quickGELU: preconditionFailure("no gradient goes back through it")
      }
    }
  }
}
