import CCUDA

/// out = dropout(gamma·(s − mean)/σ + beta) with s = residual + dropout(x).
struct LayerNorm: Operation {
  let x: Tensor
  let residual: Tensor?
  let gamma: Tensor
  let beta: Tensor
  let epsilon: Float
  let inner: Dropout?
  let outer: Dropout?
  /// The sum s; it may share memory with x, or with `out` if no backward pass reads it.
  let sum: Tensor
  /// The means, then the inverse deviations: [2, rows].
  let statistics: Tensor
  let out: Tensor

  func check() {
    precondition(
      gamma.count == x.columns && beta.count == x.columns && statistics.count == 2 * x.rows)
    precondition(sum.count == x.count && out.count == x.count && residual?.count ?? x.count == x.count)
    precondition(inner == nil && outer == nil || Dropout.covers(rows: x.rows, columns: x.columns))
  }

  var reads: [(any Operand)?] { [x, residual, gamma, beta] }
  var writes: [(any Operand)?] { [keepsSum ? sum : nil, statistics, out] }
  private var keepsSum: Bool {
    func lies(in other: Tensor) -> Bool { sum.storage === other.storage && sum.offset == other.offset }
    return !lies(in: out) && (residual != nil || inner != nil || !lies(in: x))
  }

  func run(on cpu: CPUBackend) {
    let (rows, columns) = (x.rows, x.columns)
    var staged = Staged(cpu, either: x, residual, sum, out)
    defer { staged.finish() }
    let (loops, size) = (cpu.loops(staged.type), staged.type.size)
    let (from, other) = (staged.reading(x).values, residual.map { staged.reading($0).values })
    let (kept, result) = (staged.writing(sum).values, staged.writing(out).values)
    let (means, inverses) = (statistics.pointer, statistics.pointer + rows)
    let (g, b) = (gamma.pointer, beta.pointer)
    let storage = cpu.scratch(parts: cpu.pool.threads, each: columns)
    let room = storage.pointer
    defer { withExtendedLifetime(storage) {} }
    inner.withKernelForm { inner in
      outer.withKernelForm { outer in
        cpu.pool.split(rows, grain: 1 + (1 << 12) / max(1, columns)) { range, part in
          let at = range.lowerBound * columns * size
          loops.norm(
            result + at, kept + at, means + range.lowerBound, inverses + range.lowerBound, from + at,
            other.map { $0 + at }, g, b, epsilon, range.lowerBound, range.count, columns, inner, outer,
            room + part * columns)
        }
      }
    }
  }

  func run(on gpu: CUDABackend) {
    let (rows, columns) = (x.rows, x.columns)
    let shape = NormShape(columns: columns)
    gpu.launch(
      shape.isWide ? .layerNormWide : .layerNorm, grid: ((rows + shape.lines - 1) / shape.lines, 1, 1),
      block: shape.block,
      hero_norm_arguments(
        x: x.view, residual: residual.view, sum: sum.view, out: out.view, gamma: gamma.floats,
        beta: beta.floats,
        statistics: statistics.floats, rows: Int64(rows), columns: Int64(columns), epsilon: epsilon,
        keeps_sum: keepsSum ? 1 : 0, units: Int32(shape.units), inner: hero_dropout(inner),
        outer: hero_dropout(outer)))
  }
}

struct LayerNormBackward: Operation {
  let dy: Tensor
  let sum: Tensor
  let statistics: Tensor
  let gamma: Tensor
  let inner: Dropout?
  let outer: Dropout?
  let dx: GradientTarget?
  let dResidual: GradientTarget?
  let dGamma: GradientTarget
  let dBeta: GradientTarget
  /// The gradient of the bias that x ends with: the sums of dx's columns, as in `ColumnSums`.
  var dBias: GradientTarget?

  func check() {
    precondition(dBias == nil || dx?.accumulate == false && dBias?.tensor.count == sum.columns)
    precondition(dy.count == sum.count && statistics.count == 2 * sum.rows && gamma.count == sum.columns)
  }

  var reads: [(any Operand)?] { [dy, sum, statistics, gamma] }
  var writes: [(any Operand)?] { [dx, dResidual, dGamma, dBeta, dBias] }

  func run(on cpu: CPUBackend) {
    defer { if let bias { ColumnSums(x: bias.of, out: bias.target).run(on: cpu) } }
    let (rows, columns) = (sum.rows, sum.columns)
    var staged = Staged(cpu, either: dy, sum, dx?.tensor, dResidual?.tensor)
    defer { staged.finish() }
    let (loops, size) = (cpu.loops(staged.type), staged.type.size)
    let (gradient, kept, g) = (staged.reading(dy).values, staged.reading(sum).values, gamma.pointer)
    let (dx, dResidual) = (staged.writing(dx), staged.writing(dResidual))
    let (means, inverses) = (statistics.pointer, statistics.pointer + rows)
    let (toX, toResidual) = (dx?.tensor.values, dResidual?.tensor.values)
    // Each part has two rows for its sums of gamma and beta gradients, two rows of scratch, and two
    // rows for the sums of a stretch of rows.
    let each = 6 * columns
    let storage = cpu.scratch(parts: cpu.pool.threads, each: each)
    let parts = storage.pointer
    parts.update(repeating: 0, count: cpu.pool.threads * each)
    inner.withKernelForm { inner in
      outer.withKernelForm { outer in
        cpu.pool.split(rows, grain: 1 + (1 << 12) / max(1, columns)) { range, part in
          let own = parts + part * each
          let most = CPUBackend.summedRows(range.count)
          let isLong = most < range.count
          // For many rows, the sums of stretches are added in double precision.
          var total = [Double](repeating: 0, count: isLong ? 2 * columns : 0)
          for first in stride(from: range.lowerBound, to: range.upperBound, by: most) {
            let at = first * columns * size
            let sums = isLong ? own + 4 * columns : own
            if isLong { sums.update(repeating: 0, count: 2 * columns) }
            loops.norm_backward(
              toX.map { $0 + at }, dx?.accumulate ?? false, toResidual.map { $0 + at },
              dResidual?.accumulate ?? false, sums, sums + columns, gradient + at, kept + at,
              means + first, inverses + first, g, first, min(most, range.upperBound - first), columns,
              inner, outer, own + 2 * columns)
            for c in total.indices { total[c] += Double(sums[c]) }
          }
          for c in total.indices { own[c] += Float(total[c]) }
        }
      }
    }
    for (target, start) in [(dGamma, 0), (dBeta, columns)] {
      let to = target.tensor.pointer
      if !target.accumulate { to.update(repeating: 0, count: columns) }
      for part in 0..<cpu.pool.threads { cpu.kernels.add(to, parts + part * each + start, columns) }
    }
    withExtendedLifetime(storage) {}
  }

  func run(on gpu: CUDABackend) {
    let (rows, columns) = (sum.rows, sum.columns)
    let shape = NormShape(columns: columns)
    // Three blocks for each processor of a large device, each block with at least one row per line.
    let each = max(shape.lines, (rows + 395) / 396)
    let parts = (rows + each - 1) / each
    let fused = shape.isWide ? nil : dBias
    let targets = [dGamma, dBeta] + (fused.map { [$0] } ?? [])
    let sums = gpu.scratch(targets.count * parts * columns)
    gpu.launch(
      shape.isWide ? .layerNormBackwardWide : .layerNormBackward, grid: (parts, 1, 1), block: shape.block,
      hero_norm_backward_arguments(
        dy: dy.view, sum: sum.view, dx: dx.view, d_residual: dResidual.view, gamma: gamma.floats,
        statistics: statistics.floats, parts: sums.floats, rows: Int64(rows), columns: Int64(columns),
        rows_per_part: Int64(each), accumulate_x: dx.adds, accumulate_residual: dResidual.adds,
        has_bias: fused == nil ? 0 : 1, units: Int32(shape.units),
        inner: hero_dropout(inner), outer: hero_dropout(outer)))
    gpu.addParts(sums, count: columns, parts: parts, to: targets)
    if fused == nil, let bias { gpu.run(ColumnSums(x: bias.of, out: bias.target)) }
  }

  private var bias: (of: Tensor, target: GradientTarget)? {
    guard let dBias, let dx else { return nil }
    return (dx.tensor, dBias)
  }
}

/// The division of a norm's rows among threads, with eight columns each, or sixteen of a wide row.
struct NormShape {
  /// The most columns of a row.
  static let mostColumns = 16 * HERO_NORM_THREADS

  let isWide: Bool
  /// The number of threads per row.
  let units: Int
  /// The number of rows that a block takes at a time.
  let lines: Int
  var block: Int { units * lines }

  init(columns: Int) {
    precondition(columns <= Self.mostColumns, "a norm's width, which `limits` rules out")
    isWide = columns > 8 * HERO_NORM_THREADS
    let each = isWide ? 16 : 8
    units = max(1, (columns + 32 * each - 1) / (32 * each)) * 32
    lines = max(1, 256 / units)
  }
}
