import CCUDA

/// out = Σ over the rows of x, or out += that sum: a bias's gradient.
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

  /// Sums parts of the rows first, then the parts in their order.
  func run(on gpu: CUDABackend) {
    let (rows, columns) = (x.rows, x.columns)
    let (each, parts) = CUDABackend.parts(ofRows: rows)
    let sums = gpu.scratch(parts * columns)
    gpu.launch(
      .columnSums, grid: ((columns + 127) / 128, parts, 1), block: 256,
      hero_columns_arguments(
        x: x.view, parts: sums.floats, rows: Int64(rows), columns: Int64(columns),
        rows_per_part: Int64(each)))
    gpu.addParts(sums, count: columns, parts: parts, to: [out])
  }
}

extension CUDABackend {
  /// Returns enough parts to keep a large device busy where a block has some of the columns.
  static func parts(ofRows rows: Int) -> (each: Int, count: Int) {
    let each = max(64, (rows + 127) / 128)
    return (each, (rows + each - 1) / each)
  }

  /// Sums parts, each of which has `count` numbers for every target, one target after the other.
  /// - Parameter targets: three at most.
  func addParts(_ sums: Tensor, count: Int, parts: Int, to targets: [GradientTarget]) {
    precondition(targets.count <= 3)
    func view(_ number: Int) -> hero_view {
      number < targets.count ? targets[number].tensor.view : hero_view()
    }
    func adds(_ number: Int) -> Int32 { number < targets.count && targets[number].accumulate ? 1 : 0 }
    launch(
      .addParts, grid: ((count + 31) / 32, targets.count, 1), block: 256,
      hero_parts_arguments(
        parts: sums.floats.map { UnsafePointer($0) }, to: (view(0), view(1), view(2)), count: Int64(count),
        stride: Int64(targets.count * count), part_count: Int32(parts),
        accumulate: (adds(0), adds(1), adds(2))))
  }
}
