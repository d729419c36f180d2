import CKernels
import Foundation

extension CPUBackend {
  public func addSumOfSquares(_ x: Tensor, to sums: Tensor, at place: Int) {
    let p = x.pointer
    var parts = [Double](repeating: 0, count: pool.threads)
    parts.withUnsafeMutableBufferPointer { parts in
      nonisolated(unsafe) let parts = parts
      // Blocks of 4,096 start at the same places whatever the thread count.
      pool.split(x.count, grain: 1 << 16, multiple: 4096) { range, part in
        parts[part] = kernels.sum_of_squares(p + range.lowerBound, range.count)
      }
    }
    sums.sums[place] += parts.reduce(0, +)
  }

  public func optimizerStep(
    _ kind: OptimizerKind, slices: [OptimizerSlice], parameters: Tensor, gradients: Tensor, first: Tensor,
    second: Tensor, betas: (Float, Float), epsilon: Float, clipping: GradientClipping?
  ) {
    parameters.storage.onHost.changes()
    var gradientScale: Float = 1
    if let clipping {
      let norm = clipping.sumOfSquares.sums[0].squareRoot()
      guard norm.isFinite else { return }
      if clipping.limit > 0 { gradientScale = Float(min(1, clipping.limit / (norm + 1e-6))) }
    }
    let (p, g, m, v) = (parameters.pointer, gradients.pointer, first.pointer, second.pointer)
    precondition([gradients, first, second].allSatisfy { $0.count == parameters.count })
    for slice in slices {
      precondition(slice.range.isWithin(parameters.count) && slice.step > 0)
      let rates = slice.rates(kind, betas: betas)
      var settings = hero_adam(
        learning_rate: rates.carried, beta1: betas.0, beta2: betas.1, epsilon: epsilon,
        weight_decay: slice.weightDecay, step_size: rates.step, gradient_scale: gradientScale)
      withUnsafePointer(to: &settings) { settings in
        pool.split(slice.range.count, grain: 1 << 12, multiple: 16) { range, _ in
          let at = slice.range.lowerBound + range.lowerBound
          switch kind {
          case .adamw: kernels.adamw(p + at, g + at, m + at, v + at, range.count, settings)
          case .adam: kernels.adam(p + at, g + at, m + at, v + at, range.count, settings)
          case .adamax: kernels.adamax(p + at, g + at, m + at, v + at, range.count, settings)
          }
        }
      }
    }
  }
}
