import CCUDA

/// The L2 distance of each row of x from the same row of `targets`; at distance 0 the gradient is
/// 0, since no direction is better than another.
struct Distances: LossOperation {
  let x: Tensor
  let targets: Tensor
  let gradientScale: Float?
  /// [1, rows]
  let losses: Tensor

  func check() { precondition(targets.count == x.count && losses.count == x.rows) }
  var reads: [(any Operand)?] { [x, targets] }

  func run(on cpu: CPUBackend) {
    var staged = Staged(cpu)
    defer { staged.finish() }
    let (columns, losses) = (x.columns, losses.pointer)
    let (values, wanted) = (staged.writing(x, keeps: true).pointer, staged.reading(targets).pointer)
    cpu.pool.split(x.rows, grain: 1 + (1 << 12) / max(1, columns)) { range, _ in
      for r in range {
        let (row, target) = (values + r * columns, wanted + r * columns)
        var total = 0.0
        for c in 0..<columns {
          let difference = Double(row[c] - target[c])
          total += difference * difference
        }
        losses[r] = Float(total.squareRoot())
        guard let gradientScale else { continue }
        let factor = losses[r] > 0 ? gradientScale / losses[r] : 0
        for c in 0..<columns { row[c] = (row[c] - target[c]) * factor }
      }
    }
  }

  func run(on gpu: CUDABackend) {
    gpu.launch(
      .rowDistances, rows: x.rows, block: 256,
      hero_distance_arguments(
        x: x.view, targets: targets.view, losses: losses.floats, columns: Int64(x.columns),
        scale: gradientScale ?? 0, has_gradient: hasGradient))
  }
}
