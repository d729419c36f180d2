import CCUDA

/// dy becomes the gradient of an activation's argument: dy·activation′(argument).
struct Slope: Operation {
  let dy: Tensor
  /// The activation's argument; for a ReLU also its result, which has the same slope.
  let argument: Tensor
  let activation: Activation
  /// The destination of a GELU's recomputed result, if it was not kept.
  var again: Tensor?
  /// The gradient of the argument's bias, if any: the sums of dy's columns, as in `ColumnSums`.
  var bias: GradientTarget?

  func check() {
    precondition(argument.count == dy.count && again?.count ?? dy.count == dy.count)
    precondition(bias?.tensor.count ?? dy.columns == dy.columns)
    precondition(activation == .relu && again == nil || activation == .gelu)
  }

  var reads: [(any Operand)?] { [dy, argument] }
  var writes: [(any Operand)?] { [dy, again, bias] }

  func run(on cpu: CPUBackend) {
    defer { if let bias { ColumnSums(x: dy, out: bias).run(on: cpu) } }
    var staged = Staged(cpu, either: argument, dy, again)
    defer { staged.finish() }
    let (loops, size) = (cpu.loops(staged.type), staged.type.size)
    let (kept, gradient) = (staged.reading(argument).values, staged.writing(dy, keeps: true).values)
    let result = again.map { staged.writing($0).values }
    cpu.pool.split(dy.count, grain: 1 << 13, multiple: 16) { range, _ in
      let at = range.lowerBound * size
      if let result {
        loops.gelu_again(result + at, gradient + at, kept + at, range.count)
      } else if activation == .relu {
        loops.relu_backward(gradient + at, gradient + at, kept + at, range.count)
      } else {
        loops.gelu_backward(gradient + at, gradient + at, kept + at, range.count)
      }
    }
  }

  func run(on gpu: CUDABackend) {
    let (rows, columns) = (dy.rows, dy.columns)
    let (each, parts) = CUDABackend.parts(ofRows: rows)
    let sums = bias.map { _ in gpu.scratch(parts * columns) }
    let arguments = hero_slope_arguments(
      dy: dy.view, saved: argument.view, out: again.view, parts: sums?.floats, rows: Int64(rows),
      columns: Int64(columns), rows_per_part: Int64(each), activation: activation.rawValue)
    guard let bias, let sums else { return gpu.launch(.slope, elements: dy.count, each: 4, arguments) }
    gpu.launch(.slopeSums, grid: ((columns + 255) / 256, parts, 1), block: 256, arguments)
    gpu.addParts(sums, count: columns, parts: parts, to: [bias])
  }
}
