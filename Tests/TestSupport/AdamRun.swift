import Foundation

/// The result of a run of Adam, and its comparison with a run that differs by rounding alone.
///
/// An update moves a weight by η·m/(√v + ε), as far for a small gradient as for a large one. Some
/// gradients are rounding alone, as that of a number that is added to all of a softmax's scores.
/// Their signs are chance, and so are the steps. Gradients that are off by δ move a step by at most
/// 2·η·δ/(√v + ε), and never by more than 2·η. So a weight may differ by what its own gradient
/// allows: by `tolerance` where the gradient is far above rounding.
public struct AdamRun: Sendable {
  /// The weights, by the names of parameters.
  public var weights: [String: [Float]]
  /// The exponential means of the gradients, by the names of parameters.
  public var first: [String: [Float]]
  /// The exponential means of the gradients' squares, by the names of parameters.
  public var second: [String: [Float]]

  /// Makes a run's result from values by the names of parameters, the same names in all three.
  public init(weights: [String: [Float]], first: [String: [Float]], second: [String: [Float]]) {
    (self.weights, self.first, self.second) = (weights, first, second)
  }

  /// The largest difference of weights whose gradients are well above rounding.
  private static let tolerance = 1e-5

  /// Returns how this run differs from the other beyond rounding; empty where they agree.
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
    // The mean gradients themselves are compared, before any step is made of them.
    if !(error.squareRoot() <= 1e-3 * norm.squareRoot()) {
      list.append("the mean gradient by \((error / norm).squareRoot()) of its norm")
    }
    return list
  }
}

/// The bounds on how far chance may move Adam's steps, by a run's second moments.
public struct AdamSteps: Sendable {
  private let whole, length, noise, epsilon: Double

  /// The largest difference of gradients summed in another order, relative to the norm of them all:
  /// some units of float32.
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
