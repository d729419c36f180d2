import CCUDA
import CKernels

/// out[s] = Σ softmax(scores over segment s)[r]·x[r]; an empty segment gives a row of zeros.
struct SoftmaxPool: Operation {
  let x: Tensor
  /// [rows, 1]
  let scores: Tensor
  let segments: Segments
  /// [1, rows]: the softmax, for the backward pass.
  let weights: Tensor
  let out: Tensor

  func check() {
    precondition(scores.count == x.rows && segments.rows == x.rows && out.rows == segments.count)
  }

  var reads: [(any Operand)?] { [x, scores, segments.starts] }
  var writes: [(any Operand)?] { [weights, out] }

  func run(on cpu: CPUBackend) {
    var staged = Staged(cpu)
    defer { staged.finish() }
    let (columns, share) = (x.columns, weights.pointer)
    let (from, score) = (staged.reading(x).pointer, staged.reading(scores).pointer)
    let to = staged.writing(out).pointer
    cpu.pool.split(segments.count, grain: 1 + (1 << 10) / max(1, columns)) { range, _ in
      for s in range {
        let rows = segments[s]
        let pooled = to + s * columns
        pooled.update(repeating: 0, count: columns)
        if rows.isEmpty { continue }
        let own = share + rows.lowerBound
        own.update(from: score + rows.lowerBound, count: rows.count)
        cpu.kernels.exp_shift_scale(own, cpu.kernels.log_sum_exp(own, rows.count), 1, rows.count)
        for r in rows { cpu.kernels.axpy(pooled, share[r], from + r * columns, columns) }
      }
    }
  }

  func run(on gpu: CUDABackend) {
    var arguments = hero_pool_arguments()
    (arguments.x, arguments.scores, arguments.out) = (x.view, scores.view, out.view)
    (arguments.starts, arguments.weights) = (segments.numbers, weights.floats)
    arguments.columns = Int64(x.columns)
    gpu.launch(.softmaxPool, rows: segments.count, arguments)
  }
}

struct SoftmaxPoolBackward: Operation {
  let dy: Tensor
  let x: Tensor
  let segments: Segments
  let weights: Tensor
  let dx: GradientTarget?
  let dScores: GradientTarget?

  func check() {
    precondition(weights.count == x.rows && segments.rows == x.rows && dy.rows == segments.count)
  }

  var reads: [(any Operand)?] { [dy, x, weights, segments.starts] }
  var writes: [(any Operand)?] { [dx, dScores] }
  var shape: [Int] { x.shape }

  func run(on cpu: CPUBackend) {
    var staged = Staged(cpu)
    defer { staged.finish() }
    let (columns, share) = (x.columns, weights.pointer)
    let (gradient, from) = (staged.reading(dy).pointer, staged.reading(x).pointer)
    let (dx, dScores) = (staged.writing(dx), staged.writing(dScores))
    let (toX, toScores) = (dx?.tensor.pointer, dScores?.tensor.pointer)
    cpu.pool.split(segments.count, grain: 1 + (1 << 10) / max(1, columns)) { range, _ in
      for s in range {
        let rows = segments[s]
        let g = gradient + s * columns
        var along: Float = 0
        if toScores != nil {
          for r in rows { along += share[r] * cpu.kernels.dot(g, from + r * columns, columns) }
        }
        for r in rows {
          if let toScores {
            let slope = share[r] * (cpu.kernels.dot(g, from + r * columns, columns) - along)
            toScores[r] = slope + (dScores?.accumulate == true ? toScores[r] : 0)
          }
          if let toX {
            if dx?.accumulate != true { (toX + r * columns).update(repeating: 0, count: columns) }
            cpu.kernels.axpy(toX + r * columns, share[r], g, columns)
          }
        }
      }
    }
  }

  func run(on gpu: CUDABackend) {
    let dots = gpu.scratch(x.rows)
    var arguments = hero_pool_arguments()
    (arguments.x, arguments.dy, arguments.dx, arguments.d_scores) = (x.view, dy.view, dx.view, dScores.view)
    (arguments.starts, arguments.weights, arguments.dots) = (segments.numbers, weights.floats, dots.floats)
    (arguments.columns, arguments.accumulate_x, arguments.accumulate_scores) = (
      Int64(x.columns), dx.adds, dScores.adds
    )
    gpu.launch(.softmaxPoolBackward, rows: segments.count, arguments)
  }
}
