import CCUDA

/// out[c, r] = x[r, c]; meant for the few columns of a prediction head.
struct Transpose: Operation {
  let x: Tensor
  let out: Tensor

  func check() { precondition(x.rows == out.columns && x.columns == out.rows) }
  var reads: [(any Operand)?] { [x] }
  var writes: [(any Operand)?] { [out] }

  func run(on cpu: CPUBackend) {
    var staged = Staged(cpu)
    defer { staged.finish() }
    let (from, to) = (staged.reading(x).pointer, staged.writing(out).pointer)
    let (rows, columns) = (x.rows, x.columns)
    cpu.pool.split(rows, grain: 1 + (1 << 14) / max(1, columns)) { range, _ in
      for r in range {
        for c in 0..<columns { to[c * rows + r] = from[r * columns + c] }
      }
    }
  }

  func run(on gpu: CUDABackend) {
    gpu.launch(
      .transpose, elements: x.count,
      hero_transpose_arguments(x: x.view, out: out.view, rows: Int64(x.rows), columns: Int64(x.columns)))
  }
}
