import Engine
import Foundation
import Testing

/// A comparison of a model's gradient with differences of its loss, parameter by parameter.
///
/// A parameter θ moves along random directions d of ±1, and the loss L(t) = L(θ + t·d) is taken at
/// t = 0, ±h, ±2h. θ and h are multiples of powers of two. So every θ + t·d is an exact float32,
/// and only the loss is rounded.
///
/// - The five-point rule D₅ = (8·(L₁ − L₋₁) − (L₂ − L₋₂)) / 12h is off by h⁴·L⁽⁵⁾/30, and by at
///   most 0.95·σ/h for a loss that is rounded by σ. Its correction of the three-point rule D₃ = (L₁
///   − L₋₁) / 2h, about h²·L⁽³⁾/6, is far larger.
/// - The fourth difference Δ = L₋₂ − 4L₋₁ + 6L₀ − 4L₁ + L₂ holds h⁴·L⁽⁴⁾, negligible in float32,
///   and √70·σ of rounding (Hamming's table of differences). So σ is measured, from nine tenths of
///   all directions.
/// - A kink by b (a ReLU, a maximum, a hinge) at c between the points makes D₅ wrong. For 0 < c <
///   h, D₅ is off by b·|6h − 7c| / 12h, where |Δ| / h = b·|3c − 2h| / h and |D₅ − D₃| = b·c / 12h.
///   For h < c < 2h, D₅ is off by |D₅ − D₃|. So |Δ| / h + 3·|D₅ − D₃| covers a kink anywhere. ReLUs
///   start away from theirs, so that few directions meet one.
/// - With h = 2⁻⁷ and losses of about 1, σ/h is about 1e-5, enough to detect a gradient that is off
///   by a fiftieth.
struct GradientCheck {
  /// The slope of one parameter along one direction.
  struct Slope {
    let parameter: String
    /// The slope by differences, and its tolerance.
    let measured: Double
    let tolerance: Double
    /// The slope by the gradient: gradient · direction.
    let claimed: Double

    /// Returns how many tolerances lie between the two slopes, infinity for a NaN.
    func distance(scalingClaim factor: Double = 1) -> Double {
      let apart = abs(measured - factor * claimed)
      return apart.isNaN ? .infinity : apart / tolerance
    }
  }

  static let step = 0x1p-7
  private static let directions = 3

  let slopes: [Slope]

  /// - Parameter loss: returns the total loss on a tape, the same at every call.
  init(_ store: ParameterStore, loss: (Tape) -> Double) {
    Self.start(store)
    let tape = Tape.training(store.backend, seed: 1, step: 0)
    _ = loss(tape)
    tape.backward()
    let gradients = store.parameters.map { parameter in
      parameter.gradient.map { store.backend.values(of: $0) }
    }
    store.clearGradients()

    struct Line {
      let parameter: Int
      let losses: [Double]
      let direction: [Float]
    }
    let middle = loss(.inference(store.backend))
    var lines: [Line] = []
    for (number, parameter) in store.parameters.enumerated() {
      let values = store.values(of: parameter)
      for draw in 0..<Self.directions {
        var random = RandomStream(seed: 11, step: UInt64(draw), stream: UInt32(number))
        let direction = values.map { _ -> Float in random.uniform() < 0.5 ? -1 : 1 }
        let losses = [-2, -1, 1, 2].map { (steps: Float) in
          let t = steps * Float(Self.step)
          store.set(parameter, to: zip(values, direction).map { $0 + t * $1 })
          return loss(.inference(store.backend))
        }
        lines.append(Line(parameter: number, losses: losses, direction: direction))
      }
      store.set(parameter, to: values)
    }
    let fourth = lines.map { line in
      abs(line.losses[0] - 4 * line.losses[1] + 6 * middle - 4 * line.losses[2] + line.losses[3])
    }
    // Nine tenths of |N(0, 1)| are below 1.645.
    let sorted = fourth.filter { $0 > 0 }.sorted()
    let sigma = (sorted.isEmpty ? 0 : sorted[sorted.count * 9 / 10]) / (1.645 * 70.0.squareRoot())
    slopes = zip(lines, fourth).map { line, fourth in
      let (far, near) = (line.losses[3] - line.losses[0], line.losses[2] - line.losses[1])
      let five = (8 * near - far) / (12 * Self.step)
      let three = near / (2 * Self.step)
      let terms = zip(gradients[line.parameter] ?? [], line.direction).map { Double($0) * Double($1) }
      let size = terms.reduce(0) { $0 + abs($1) }
      // Four standard deviations of the rounding. The gradient's own sums round at 2⁻²⁴ a term,
      // some tens of terms deep.
      let rounding = 4 * 0.95 * sigma / Self.step + 0x1p-18 * size
      return Slope(
        parameter: store.parameters[line.parameter].name, measured: five,
        tolerance: 3 * abs(five - three) + fourth / Self.step + rounding, claimed: terms.reduce(0, +))
    }
  }

  /// Starts every parameter well away from its start in training, where much is zero.
  ///
  /// Values are multiples of 2⁻¹². Half of the units before a ReLU are on, half off.
  private static func start(_ store: ParameterStore) {
    for (number, parameter) in store.parameters.enumerated() {
      var random = RandomStream(seed: 7, stream: UInt32(number))
      var mean: Float = 0
      if case .constant(let value) = parameter.initializer { mean = value }
      let precedesReLU = parameter.name.hasSuffix(".net.1.bias")
      let values = (0..<parameter.count).map { place -> Float in
        let shift: Float = precedesReLU ? (place % 2 == 0 ? 4 : -4) : mean
        return ((shift + 0.3 * random.normalPair().0) * 4096).rounded() / 4096
      }
      store.set(parameter, to: values)
    }
  }

  /// Expects every slope to agree with the gradient, which reaches the parameters in `names`.
  ///
  /// The check must also notice if a parameter's gradient were a fiftieth too large, or missing.
  /// - Parameter blindShare: the share of parameters whose slopes may be too small, or too near a
  ///   kink, to tell.
  func expectAgreement(
    reaching names: [String], blindShare: Double = 0.25, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    for slope in slopes where slope.distance() > 1 {
      Issue.record(
        "\(slope.parameter): \(slope.claimed) instead of \(slope.measured) ± \(slope.tolerance)",
        sourceLocation: sourceLocation)
    }
    let moving = Dictionary(grouping: slopes) { $0.parameter }.filter {
      $0.value.contains { $0.claimed != 0 }
    }
    for name in names {
      #expect(
        moving.keys.contains { $0.hasPrefix(name) }, "no gradient reaches \(name)",
        sourceLocation: sourceLocation)
    }
    var blind: [String] = []
    for (name, own) in moving {
      let strongest = own.max { abs($0.measured) / $0.tolerance < abs($1.measured) / $1.tolerance }
      if let strongest,
        strongest.distance(scalingClaim: 1.02) <= 1 || strongest.distance(scalingClaim: 0) <= 1
      {
        blind.append(name)
      }
    }
    // Some slopes are too small to tell from rounding; an attention's key bias has none at all.
    let limit = Int(blindShare * Double(moving.count))
    #expect(
      blind.count <= limit, "blind to \(blind.count) of \(moving.count): \(blind.sorted())",
      sourceLocation: sourceLocation)
  }
}
