import CCUDA

/// out = Σ over the rows of x, or out += it: a bias's gradient.
struct ColumnSums: Operation {
  let x: Tensor
  let out: GradientTarget

  func check() { precondition(out.tensor.count == x.columns) }
  var reads: [(any Operand)?] { [x] }
  var writes: [(any Operand)?] { [out] }

  func run(on cpu: CPUBackend) {
    let (loops, size, columns) = (cpu.loops(x.storage.type), x.storage.type.size, x.columns)
    let (sums, from) = (out.tensor.pointer, x.values)
    cpu.pool.split(columns, grain: 64, multiple: 64) { range, _ in
      loops.column_sums(
        sums + range.lowerBound, from + range.lowerBound * size, columns, x.rows, range.count,
        out.accumulate)
    }
  }

  /// Parts of the rows first, then the parts in their order.
  func run(on gpu: CUDABackend) {
    let (rows, columns) = (x.rows, x.columns)
    // As many parts as keep a large device busy.
    let each = max(64, (rows + 127) / 128)
    let parts = (rows + each - 1) / each
    let sums = gpu.scratch(parts * columns)
    gpu.launch(
      .columnSums, grid: ((columns + 127) / 128, parts, 1), block: 256,
      hero_columns_arguments(
        x: x.view, parts: sums.floats, rows: Int64(rows), columns: Int64(columns),
        rows_per_part: Int64(each)))
    gpu.addParts(sums, count: columns, stride: columns, parts: parts, to: out)
  }
}

extension CUDABackend {
  /// target (+)= Σ over parts of the first `count` of each part's `stride` numbers, from `offset`
  /// on.
  func addParts(
    _ sums: Tensor, offset: Int = 0, count: Int, stride: Int, parts: Int, to target: GradientTarget
  ) {
    launch(
      .addParts, grid: ((count + 31) / 32, 1, 1), block: 256,
      hero_parts_arguments(
        parts: sums.floats.map { UnsafePointer($0 + offset) }, to: target.tensor.view, count: Int64(count),
        stride: Int64(stride), part_count: Int32(parts), accumulate: target.accumulate ? 1 : 0))
  }
}
