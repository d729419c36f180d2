import Foundation

/// What a run of Adam ends with, and what another that differs by rounding alone may end with.
///
/// An update moves a weight by η·m/(√v + ε), as far for a small gradient as for a large one. Where
/// a gradient is rounding alone, as of a number that is added to all of a softmax's scores, its
/// sign is chance, and the steps go where chance leads. Gradients that are off by δ move a step by
/// 2·η·δ/(√v + ε) at most, and never by more than 2·η. So a weight is held to what its own gradient
/// allows: one that has a gradient far above rounding to `tolerance`, as all others were.
public struct AdamRun: Sendable {
  /// By parameter: the weights, and the exponential means of the gradients and of their squares.
  public var weights: [String: [Float]]
  /// Exponential means of the gradients.
  public var first: [String: [Float]]
  /// Exponential means of the gradients' squares.
  public var second: [String: [Float]]

  /// Values by the names of parameters, the same in all three.
  public init(weights: [String: [Float]], first: [String: [Float]], second: [String: [Float]]) {
    (self.weights, self.first, self.second) = (weights, first, second)
  }

  /// What weights differ by whose gradients are well above rounding.
  private static let tolerance = 1e-5

  /// What this run has otherwise than rounding could make it of the other; nothing where they are
  /// the same.
  /// - Parameters:
  ///   - updates: of each.
  ///   - learningRate: the largest of an update.
  public func differences(from other: AdamRun, updates: Int, learningRate: Double) -> [String] {
    guard Set(weights.keys) == Set(other.weights.keys) else { return ["other parameters"] }
    let steps = AdamSteps(second: other.second, updates: updates, learningRate: learningRate)
    var list: [String] = []
    var (error, norm) = (0.0, 0.0)
    for (name, expected) in other.weights.sorted(by: { $0.key < $1.key }) {
      guard let found = weights[name], let m = first[name], let n = other.first[name],
        let v = other.second[name], found.count == expected.count, m.count == n.count, v.count == n.count
      else { return ["\(name) is another"] }
      var worst = 0.0
      for i in expected.indices {
        let allowed = Self.tolerance + steps.chance(v[i])
        let ratio = abs(Double(found[i]) - Double(expected[i])) / allowed
        // A NaN is the worst.
        if ratio > worst || ratio.isNaN { worst = ratio }
        error += pow(Double(m[i]) - Double(n[i]), 2)
        norm += pow(Double(n[i]), 2)
      }
      if !(worst <= 1) { list.append("\(name) by \(worst) times what rounding allows") }
    }
    // The gradients themselves, of which no step is made.
    if !(error.squareRoot() <= 1e-3 * norm.squareRoot()) {
      list.append("the mean gradient by \((error / norm).squareRoot()) of its norm")
    }
    return list
  }
}

/// How far Adam's steps may go by chance, of a run with these second moments.
public struct AdamSteps: Sendable {
  private let whole, length, noise, epsilon: Double

  /// What sums of gradients in another order differ by at most, of the norm of all of them: some
  /// units of float32.
  private static let rounding = 0x1p-21

  /// - Parameters:
  ///   - learningRate: the largest of an update.
  ///   - beta, epsilon: the optimizer's.
  public init(
    second: [String: [Float]], updates: Int, learningRate: Double, beta: Double = 0.98, epsilon: Double = 1e-6
  ) {
    let whole = 1 - pow(beta, Double(updates))
    let squares = second.values.reduce(0) { $1.reduce($0) { $0 + Double($1) / whole } }
    noise = Self.rounding * squares.squareRoot()
    length = learningRate * Double(updates)
    (self.whole, self.epsilon) = (whole, epsilon)
  }

  /// - Parameter second: a weight's second moment.
  public func chance(_ second: Float) -> Double {
    2 * length * min(1, noise / ((Double(second) / whole).squareRoot() + epsilon))
  }
}
