import CCUDA

/// out = a centred 1-D convolution of every segment by itself, with zeros outside.
///
/// x and out are [1, rows]; the kernel has odd length.
struct Convolve: Operation {
  let x: Tensor
  let kernel: Tensor
  let segments: Segments
  let out: Tensor

  func check() { precondition(x.count == segments.rows && out.count == x.count && kernel.count % 2 == 1) }
  var reads: [(any Operand)?] { [x, kernel, segments.starts] }
  var writes: [(any Operand)?] { [out] }

  func run(on cpu: CPUBackend) {
    var staged = Staged(cpu)
    defer { staged.finish() }
    let (from, weight) = (staged.reading(x).pointer, kernel.pointer)
    let to = staged.writing(out).pointer
    let half = kernel.count / 2
    cpu.pool.split(segments.count, grain: 64) { range, _ in
      for s in range {
        let rows = segments[s]
        for i in rows {
          var total: Float = 0
          for t in max(rows.lowerBound, i - half)..<min(rows.upperBound, i + half + 1) {
            total += weight[t - i + half] * from[t]
          }
          to[i] = total
        }
      }
    }
  }

  func run(on gpu: CUDABackend) {
    var arguments = hero_convolution_arguments()
    (arguments.x, arguments.out, arguments.kernel) = (
      x.view, out.view, kernel.floats.map { UnsafePointer($0) }
    )
    (arguments.starts, arguments.segments, arguments.width) = (
      segments.numbers, Int64(segments.count), Int32(kernel.count)
    )
    gpu.launch(.convolve, rows: segments.count, arguments)
  }
}

struct ConvolveBackward: Operation {
  let dy: Tensor
  let x: Tensor
  let kernel: Tensor
  let segments: Segments
  let dx: GradientTarget?
  let dKernel: GradientTarget?

  func check() { precondition(x.count == segments.rows && dy.count == x.count && kernel.count % 2 == 1) }
  var reads: [(any Operand)?] { [dy, x, kernel, segments.starts] }
  var writes: [(any Operand)?] { [dx, dKernel] }

  func run(on cpu: CPUBackend) {
    var staged = Staged(cpu)
    defer { staged.finish() }
    let dx = staged.writing(dx)
    let (gradient, from, weight) = (
      staged.reading(dy).pointer, staged.reading(x).pointer, kernel.pointer
    )
    let (toX, toKernel) = (dx?.tensor.pointer, dKernel?.tensor.pointer)
    for target in [dx, dKernel] {
      if let target, !target.accumulate {
        target.tensor.pointer.update(repeating: 0, count: target.tensor.count)
      }
    }
    let half = kernel.count / 2
    // Double precision carries sums of more rows than one float32 sum covers.
    let most = CPUBackend.summedRows(segments.rows)
    var (summed, carried) = (0, [Double](repeating: 0, count: kernel.count))
    func carry() {
      guard let toKernel else { return }
      for t in carried.indices {
        carried[t] += Double(toKernel[t])
        toKernel[t] = 0
      }
      summed = 0
    }
    defer {
      if let toKernel {
        for t in carried.indices where carried[t] != 0 {
          toKernel[t] = Float(carried[t] + Double(toKernel[t]))
        }
      }
    }
    for s in 0..<segments.count {
      if summed + segments[s].count > most { carry() }
      summed += segments[s].count
      for i in segments[s] {
        for t in max(segments[s].lowerBound, i - half)..<min(segments[s].upperBound, i + half + 1) {
          toX?[t] += weight[t - i + half] * gradient[i]
          toKernel?[t - i + half] += from[t] * gradient[i]
        }
      }
    }
  }

  func run(on gpu: CUDABackend) {
    var arguments = hero_convolution_arguments()
    (arguments.x, arguments.dy, arguments.kernel) = (x.view, dy.view, kernel.floats.map { UnsafePointer($0) })
    (arguments.starts, arguments.segments, arguments.width) = (
      segments.numbers, Int64(segments.count), Int32(kernel.count)
    )
    (arguments.dx, arguments.accumulate_x) = (dx.view, dx.adds)
    (arguments.d_kernel, arguments.accumulate_kernel) = (dKernel.view, dKernel.adds)
    if dx != nil { gpu.launch(.convolveRows, rows: segments.count, arguments) }
    if dKernel != nil { gpu.launch(.convolveKernel, rows: kernel.count, arguments) }
  }
}
