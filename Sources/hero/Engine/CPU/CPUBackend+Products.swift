import CKernels
import COpenBLAS

/// The destination of the sums of hero's own products, and what follows the sums.
struct ProductResult {
  let out: Tensor
  var accumulate = false
  var bias: Tensor?
  var activation = Activation.none
  /// The destination of a GELU's argument.
  var pre: Tensor?

  /// Returns the result from a row and a column on, as the kernels take it.
  func at(row: Int, column: Int) -> hero_product_result {
    let place = (row * out.columns + column) * out.storage.type.size
    var result = hero_product_result()
    result.out = out.values + place
    result.out_stride = out.columns
    result.bias = bias.map { UnsafePointer($0.pointer + column) }
    result.activation = activation.rawValue
    result.pre = pre.map { $0.values + place }
    result.accumulate = accumulate
    return result
  }
}

extension CPUBackend {
  /// Computes C = op(A)·op(B) (+ C), divided among the threads along C's longer side.
  ///
  /// OpenBLAS packs the undivided operand once per thread, which costs least along the longer side.
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

  /// The most rows of a product without OpenBLAS (see `thin.h`), and in bf16 of one that keeps its
  /// weight packed.
  static let thinRows = 32

  /// Computes out = x·weightᵀ for few rows of x.
  func thinProduct(_ x: Tensor, _ weight: Tensor, into out: Tensor) {
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
}
