import CCUDA

/// Rows scaled to unit length; lengths below `floor` count as `floor`.
struct NormalizeRows: Operation {
  let x: Tensor
  let floor: Float
  /// [1, rows]
  let lengths: Tensor
  let out: Tensor

  func check() { precondition(lengths.count == x.rows && out.count == x.count) }
  var reads: [(any Operand)?] { [x] }
  var writes: [(any Operand)?] { [lengths, out] }

  func run(on cpu: CPUBackend) {
    var staged = Staged(cpu)
    defer { staged.finish() }
    let columns = x.columns
    let (from, to, norms) = (staged.reading(x).pointer, staged.writing(out).pointer, lengths.pointer)
    cpu.pool.split(x.rows, grain: 1 + (1 << 13) / max(1, columns)) { range, _ in
      for r in range {
        let row = from + r * columns
        norms[r] = cpu.kernels.dot(row, row, columns).squareRoot()
        let (unit, inverse) = (to + r * columns, 1 / max(norms[r], floor))
        for c in 0..<columns { unit[c] = row[c] * inverse }
      }
    }
  }

  func run(on gpu: CUDABackend) {
    gpu.launch(
      .normalizeRows, rows: x.rows,
      hero_unit_arguments(
        x: x.view, out: out.view, lengths: lengths.floats, rows: Int64(x.rows), columns: Int64(x.columns),
        floor: floor))
  }
}

struct NormalizeRowsBackward: Operation {
  let dy: Tensor
  /// The result of the forward pass, as are `lengths`.
  let out: Tensor
  let floor: Float
  let lengths: Tensor
  let dx: GradientTarget

  func check() {
    precondition(lengths.count == out.rows && dy.count == out.count && dx.tensor.count == out.count)
  }

  var reads: [(any Operand)?] { [dy, out, lengths] }
  var writes: [(any Operand)?] { [dx] }

  func run(on cpu: CPUBackend) {
    var staged = Staged(cpu)
    defer { staged.finish() }
    let (dx, columns) = (staged.writing(dx), out.columns)
    let (gradient, unit) = (staged.reading(dy).pointer, staged.reading(out).pointer)
    let (norms, to) = (lengths.pointer, dx.tensor.pointer)
    cpu.pool.split(out.rows, grain: 1 + (1 << 13) / max(1, columns)) { range, _ in
      for r in range {
        let at = r * columns
        if !dx.accumulate { (to + at).update(repeating: 0, count: columns) }
        let inverse = 1 / max(norms[r], floor)
        cpu.kernels.axpy(to + at, inverse, gradient + at, columns)
        // Where the floor holds, the length is a constant.
        if norms[r] > floor {
          cpu.kernels.axpy(
            to + at, -inverse * cpu.kernels.dot(gradient + at, unit + at, columns), unit + at, columns)
        }
      }
    }
  }

  func run(on gpu: CUDABackend) {
    gpu.launch(
      .normalizeRowsBackward, rows: out.rows,
      hero_unit_backward_arguments(
        dy: dy.view, out: out.view, dx: dx.tensor.view, lengths: lengths.floats, rows: Int64(out.rows),
        columns: Int64(out.columns), floor: floor, accumulate: dx.accumulate ? 1 : 0))
  }
}
