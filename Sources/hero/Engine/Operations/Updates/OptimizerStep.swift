import CCUDA
import CKernels
import Foundation

/// Adam's settings for adjoining parameters with the same history and decay.
struct OptimizerSlice {
  var range: Range<Int>
  var gradients: Tensor
  var weightDecay: Float
  var learningRate: Float
  /// The number of updates that these parameters have seen, this one included.
  var step: Int
}

/// The formulas: Adam and Adamax as in PyTorch, AdamW as in the reference (Docs/Computation.md §4).
public enum OptimizerKind: String, Sendable, CaseIterable {
  case adam, adamax, adamw
}

extension OptimizerSlice {
  /// Returns the step size with its bias corrections, and the other number of the formula.
  ///
  /// The latter is the rate itself for AdamW's decay, or the square root of the second moment's
  /// correction for Adam.
  func rates(_ kind: OptimizerKind, betas: (Float, Float)) -> (step: Float, carried: Float) {
    let correction1 = 1 - pow(Double(betas.0), Double(step))
    let correction2 = 1 - pow(Double(betas.1), Double(step))
    let rate = Double(learningRate)
    switch kind {
    case .adamw: return (Float(rate * correction2.squareRoot() / correction1), Float(rate))
    case .adam: return (Float(rate / correction1), Float(correction2.squareRoot()))
    case .adamax: return (Float(rate / correction1), Float(rate))
    }
  }
}

/// Clipping of the gradients, as in PyTorch: each is multiplied by min(1, limit / (norm + 1e-6)).
public struct GradientClipping {
  /// The sum of all squared gradients, one float64; if it is not finite, the update changes
  /// nothing.
  public var sumOfSquares: Tensor
  /// The maximum norm; no limit if it is not positive.
  public var limit: Double

  /// - Parameters:
  ///   - sumOfSquares: the sum of all squared gradients, one float64 in the device's memory.
  ///   - limit: the maximum norm; no limit if it is not positive.
  public init(sumOfSquares: Tensor, limit: Double) {
    self.sumOfSquares = sumOfSquares
    self.limit = limit
  }
}

/// One update of the slices of `parameters`.
///
/// `first` and `second` are the moments at the same offsets, float32 or bfloat16. The weights move
/// by the moments before these are rounded.
struct OptimizerStep: Operation {
  let kind: OptimizerKind
  let slices: [OptimizerSlice]
  let parameters: Tensor
  let first: Tensor
  let second: Tensor
  let betas: (Float, Float)
  let epsilon: Float
  /// The clipping, whose factor on every gradient the device finds; nil for none.
  let clipping: GradientClipping?
  /// The seed for rounding moments to bfloat16.
  var seed: UInt64 = 0

  func check() {
    precondition([first, second].allSatisfy { $0.count == parameters.count })
    precondition(first.storage.type == second.storage.type)
    precondition(
      slices.allSatisfy {
        $0.range.isWithin(parameters.count) && $0.gradients.count == $0.range.count && $0.step > 0
      })
  }

  private var count: Int { slices.reduce(0) { $0 + $1.range.count } }
  private var moved: [(any Operand)?] { [parameters, first, second].map { Part($0, count: count) } }
  var reads: [(any Operand)?] { moved + slices.map(\.gradients) + [clipping?.sumOfSquares] }
  var writes: [(any Operand)?] { moved }
  var shape: [Int] { [1, count] }
  private var key: (UInt32, UInt32) {
    (UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32))
  }

  func run(on cpu: CPUBackend) {
    parameters.storage.onHost.changes()
    var gradientScale: Float = 1
    if let clipping {
      let norm = clipping.sumOfSquares.sums[0].squareRoot()
      guard norm.isFinite else { return }
      if clipping.limit > 0 { gradientScale = Float(min(1, clipping.limit / (norm + 1e-6))) }
    }
    let (p, m, v) = (parameters.pointer, first.values, second.values)
    let (type, loops) = (first.storage.type, cpu.loops(first.storage.type))
    let adapt =
      switch kind {
      case .adam: loops.adam
      case .adamax: loops.adamax
      case .adamw: loops.adamw
      }
    for slice in slices {
      let gradients = slice.gradients.pointer
      let rates = slice.rates(kind, betas: betas)
      var settings = hero_adam(
        learning_rate: rates.carried, beta1: betas.0, beta2: betas.1, epsilon: epsilon,
        weight_decay: slice.weightDecay, step_size: rates.step, gradient_scale: gradientScale, key: key,
        step: UInt32(truncatingIfNeeded: slice.step))
      withUnsafePointer(to: &settings) { settings in
        cpu.pool.split(slice.range.count, grain: 1 << 12, multiple: 16) { range, _ in
          let (at, g) = (slice.range.lowerBound + range.lowerBound, gradients + range.lowerBound)
          adapt?(p + at, g, m + at * type.size, v + at * type.size, at, range.count, settings)
        }
      }
    }
  }

  func run(on gpu: CUDABackend) {
    let stretch = HERO_UPDATE_STRETCH
    var blocks = 0
    let table = slices.map { slice in
      let rates = slice.rates(kind, betas: betas)
      defer { blocks += (slice.range.count + stretch - 1) / stretch }
      return hero_slice(
        gradients: slice.gradients.floats.map { UnsafePointer($0) }, start: Int64(slice.range.lowerBound),
        count: Int64(slice.range.count), first_block: Int64(blocks),
        weight_decay: slice.weightDecay, rate: rates.carried, step_size: rates.step,
        step: UInt32(truncatingIfNeeded: slice.step))
    }
    guard blocks > 0 else { return }
    let bytes = table.count * MemoryLayout<hero_slice>.stride
    let slicesOnDevice = gpu.makeStorage(count: bytes / 4, type: .int32).onDevice
    table.withUnsafeBytes { gpu.deviceMemory.upload($0, to: slicesOnDevice) }
    let storage = parameters.storage.onDevice
    var arguments = hero_update_arguments()
    (arguments.values, arguments.first, arguments.second) = (parameters.floats, first.view, second.view)
    // An old copy is made anew as a whole anyway.
    if let copy = storage.copy, !storage.copyIsOld {
      arguments.copy = UnsafeMutablePointer(bitPattern: UInt(copy.address) + UInt(2 * parameters.offset))
    }
    arguments.slices = UnsafePointer(bitPattern: UInt(slicesOnDevice.address))
    arguments.squares = clipping?.sumOfSquares.doubles.map { UnsafePointer($0) }
    arguments.limit = clipping?.limit ?? 0
    arguments.slice_count = Int32(table.count)
    arguments.kind =
      switch kind {
      case .adam: 0
      case .adamax: 1
      case .adamw: 2
      }
    (arguments.beta1, arguments.beta2, arguments.epsilon) = (betas.0, betas.1, epsilon)
    arguments.key = key
    gpu.launch(.update, grid: (blocks, 1, 1), block: 256, arguments)
    withExtendedLifetime(slicesOnDevice) {}
  }
}
