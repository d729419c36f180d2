/// What an optimizer keeps its moments in.
public enum MomentsPrecision: String, Sendable, CaseIterable {
  /// float32
  case fp32
  /// bfloat16, rounded stochastically: in half the memory, and right in the mean
  /// (`hero_rounding.h`).
  case bf16

  fileprivate var type: ElementType {
    switch self {
    case .fp32: .float32
    case .bf16: .bfloat16
    }
  }
}

/// Adam's family over a `ParameterStore` (Docs/Computation.md §4; the reference's `optim/`).
public final class Optimizer {
  /// Which of the three formulas holds.
  public let kind: OptimizerKind
  /// Decay of the first and of the second moment.
  public let betas: (Float, Float)
  /// Added to the root of the second moment.
  public let epsilon: Float
  /// The parameters that it updates.
  public let store: ParameterStore
  private let weightDecay: (Parameter) -> Float
  private let learningRateFactor: (Parameter) -> Float
  private let seed: UInt64

  /// First and second moments (for Adamax the second is the running maximum), in the arena's
  /// places.
  public let first: Tensor
  /// Mean of the gradients' squares; for Adamax the running maximum.
  public let second: Tensor

  /// - Parameters:
  ///   - epsilon: AdamW's default is the reference's 1e-6; Adam and Adamax have torch's 1e-8.
  ///   - moments: what the moments are kept in; every formula is computed in float32.
  ///   - seed: of the rounding of moments in bfloat16, the same on all ranks.
  ///   - weightDecay: of each parameter.
  ///   - learningRateFactor: multiplies the rate for each parameter (the reference's `lr_mul`).
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
    // A word that no batch has leaves its moments unwritten.
    func zeros() -> Tensor {
      Tensor(
        rows: 1, columns: store.count,
        storage: store.backend.makeZeros(count: store.count, type: moments.type))
    }
    (first, second) = (zeros(), zeros())
  }

  /// One update from the gradients in the store, which it then clears. The device reads the norm to
  /// clip by.
  /// - Parameter limit: of the gradients' norm; a larger one is scaled down to it.
  /// - Returns: the sum of the gradients' squares before clipping, one float64.
  public func step(learningRate: Float, gradientNorm limit: Double) -> Tensor {
    let squares = store.backend.makeSums()
    store.addGradientSquares(to: squares, at: 0)
    step(learningRate: learningRate, clipping: GradientClipping(sumOfSquares: squares, limit: limit))
    store.clearGradients()
    return squares
  }

  /// One update from the gradients in the store.
  ///
  /// A parameter that never had a gradient is left alone; one that has none this time moves with
  /// gradient zero.
  /// - Parameter clipping: how the gradients are scaled down first, if they are.
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
  /// The history of one parameter, for saving: its two moments.
  public func moments(of parameter: Parameter) -> (first: [Float], second: [Float]) {
    (
      store.backend.values(of: first.slice(parameter.range, rows: 1, columns: parameter.count)),
      store.backend.values(of: second.slice(parameter.range, rows: 1, columns: parameter.count))
    )
  }

  /// Puts a saved history back.
  /// - Parameter updates: the updates it is the history of; nil where no gradient ever came.
  public func restore(_ parameter: Parameter, first: [Float], second: [Float], updates: Int?) {
    precondition(first.count == parameter.count && second.count == parameter.count)
    for (values, arena) in [(first, self.first), (second, self.second)] {
      values.withUnsafeBufferPointer {
        store.backend.upload($0, to: arena.slice(parameter.range, rows: 1, columns: parameter.count))
      }
    }
    restore(parameter, updates: updates)
  }

  /// Puts back how many updates a parameter has seen; nil where no gradient ever came.
  public func restore(_ parameter: Parameter, updates: Int?) { parameter.updates = updates }
}
