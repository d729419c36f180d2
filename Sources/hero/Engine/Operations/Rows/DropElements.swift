import CCUDA

/// Each element times its factor of 0 or 1 / (1 − p); `out` may be x, and the backward pass is the
/// same operation.
struct DropElements: Operation {
  let x: Tensor
  let dropout: Dropout
  let out: Tensor

  func check() { precondition(x.count == out.count) }
  var reads: [(any Operand)?] { [x] }
  var writes: [(any Operand)?] { [out] }

  func run(on cpu: CPUBackend) {
    var staged = Staged(cpu, either: x, out)
    defer { staged.finish() }
    let (loops, size, columns) = (cpu.loops(staged.type), staged.type.size, x.columns)
    let (from, to) = (staged.reading(x).values, staged.writing(out).values)
    Optional(dropout).withKernelForm { form in
      cpu.pool.split(x.rows, grain: 1 + (1 << 12) / max(1, columns)) { range, _ in
        let at = range.lowerBound * columns * size
        loops.dropout(to + at, from + at, range.lowerBound, range.count, columns, form)
      }
    }
  }

  func run(on gpu: CUDABackend) {
    gpu.launch(
      .dropout, rows: x.rows,
      hero_dropout_arguments(
        x: x.view, y: out.view, rows: Int64(x.rows), columns: Int64(x.columns), drop: hero_drop(dropout)))
  }
}
