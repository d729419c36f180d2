/// The type in which an optimizer keeps its moments.
public enum MomentsPrecision: String, Sendable, CaseIterable {
  /// float32
  case fp32
  /// bfloat16 with stochastic rounding: half the memory, right in the mean (`hero_rounding.h`).
  case bf16

  fileprivate var type: ElementType {
    switch self {
    case .fp32: .float32
    case .bf16: .bfloat16
    }
  }
}

/// The Adam family over a `ParameterStore` (Docs/Computation.md §4; the reference's `optim/`).
public final class Optimizer {
  /// The formula: Adam, Adamax or AdamW.
  public let kind: OptimizerKind
  /// The decay rates of the first and the second moment.
  public let betas: (Float, Float)
  /// The number added to the root of the second moment.
  public let epsilon: Float
  /// The parameters that it updates.
  public let store: ParameterStore
  private let weightDecay: (Parameter) -> Float
  private let learningRateFactor: (Parameter) -> Float
  private let seed: UInt64

  /// The first moments, the means of the gradients, at the same offsets as in the arena.
  public let first: Tensor
  /// The second moments: the means of the squared gradients, or Adamax's running maxima.
  public let second: Tensor

  /// - Parameters:
  ///   - epsilon: AdamW's default is the reference's 1e-6; Adam and Adamax have torch's 1e-8.
  ///   - moments: the type of the moments; every formula is computed in float32.
  ///   - seed: the seed for rounding moments to bfloat16, the same on all ranks.
  ///   - weightDecay: returns a parameter's weight decay.
  ///   - learningRateFactor: returns a parameter's factor on the rate (the reference's `lr_mul`).
  public init(
    _ kind: OptimizerKind, store: ParameterStore, betas: (Float, Float), epsilon: Float? = nil,
    moments: MomentsPrecision = .fp32, seed: UInt64 = 0,
    weightDecay: @escaping (Parameter) -> Float,
    learningRateFactor: @escaping (Parameter) -> Float = { _ in 1 }
  ) {
    self.kind = kind
    self.store = store
    self.betas = betas
    self.seed = seed
    self.epsilon = epsilon ?? (kind == .adamw ? 1e-6 : 1e-8)
    self.weightDecay = weightDecay
    self.learningRateFactor = learningRateFactor
    // The moments of a word that no batch contains stay unwritten, so they take no memory.
    func zeros() -> Tensor {
      Tensor(
        rows: 1, columns: store.count,
        storage: store.backend.makeZeros(count: store.count, type: moments.type))
    }
    (first, second) = (zeros(), zeros())
  }

  /// Updates the parameters from the store's gradients, then clears them; the device reads the norm
  /// to clip by.
  /// - Parameter limit: the maximum norm of the gradients; a larger one is scaled down to it.
  /// - Returns: the sum of the squared gradients before clipping, one float64.
  public func step(learningRate: Float, gradientNorm limit: Double) -> Tensor {
    let squares = store.backend.makeSums()
    store.addGradientSquares(to: squares, at: 0)
    step(learningRate: learningRate, clipping: GradientClipping(sumOfSquares: squares, limit: limit))
    store.clearGradients()
    return squares
  }

  /// Updates the parameters from the store's gradients.
  ///
  /// A parameter that never had a gradient stays as it is. One without a gradient this time moves
  /// with a gradient of zero.
  /// - Parameter clipping: how the gradients are scaled down first; nil for not at all.
  public func step(learningRate: Float, clipping: GradientClipping? = nil) {
    var slices: [OptimizerSlice] = []
    var last: Parameter?
    for parameter in store.parameters where parameter.count > 0 {
      if !parameter.hasGradient {
        if parameter.updates == nil { continue }
        store.completeGradient(of: parameter)
      }
      let updates = (parameter.updates ?? 0) + 1
      parameter.updates = updates
      var slice = OptimizerSlice(
        range: parameter.range,
        gradients: store.gradients(parameter.range, rows: 1, columns: parameter.count),
        weightDecay: weightDecay(parameter), learningRate: learningRate * learningRateFactor(parameter),
        step: updates)
      if let before = slices.last, let last, before.continues(in: slice), store.share(last, parameter) {
        slice.range = before.range.lowerBound..<slice.range.upperBound
        slice.gradients = store.gradients(slice.range, rows: 1, columns: slice.range.count)
        slices.removeLast()
      }
      slices.append(slice)
      last = parameter
    }
    store.backend.run(
      OptimizerStep(
        kind: kind, slices: slices, parameters: store.values, first: first, second: second, betas: betas,
        epsilon: epsilon, clipping: clipping, seed: seed))
  }
}

extension OptimizerSlice {
  fileprivate func continues(in next: OptimizerSlice) -> Bool {
    range.upperBound == next.range.lowerBound && weightDecay == next.weightDecay
      && learningRate == next.learningRate && step == next.step
  }
}

extension Optimizer {
  /// Returns a parameter's two moments, for saving.
  public func moments(of parameter: Parameter) -> (first: [Float], second: [Float]) {
    (
      store.backend.values(of: first.slice(parameter.range, rows: 1, columns: parameter.count)),
      store.backend.values(of: second.slice(parameter.range, rows: 1, columns: parameter.count))
    )
  }

  /// Restores a parameter's saved moments.
  /// - Parameter updates: the number of updates in the moments; nil if no gradient ever came.
  public func restore(_ parameter: Parameter, first: [Float], second: [Float], updates: Int?) {
    precondition(first.count == parameter.count && second.count == parameter.count)
    for (values, arena) in [(first, self.first), (second, self.second)] {
      values.withUnsafeBufferPointer {
        store.backend.upload($0, to: arena.slice(parameter.range, rows: 1, columns: parameter.count))
      }
    }
    restore(parameter, updates: updates)
  }

  /// Restores the number of updates that a parameter has seen; nil if no gradient ever came.
  public func restore(_ parameter: Parameter, updates: Int?) { parameter.updates = updates }
}
