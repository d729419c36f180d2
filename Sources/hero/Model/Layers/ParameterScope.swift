import Engine

/// The scope in which a module declares its parameters: their store, prefix and initial deviation.
///
/// Names are the reference's, so that both can read the other's checkpoints:
/// `scope["encoder"]["layer"][0]` has the prefix `encoder.layer.0.`.
struct ParameterScope {
  private let store: ParameterStore
  private let path: String
  /// The standard deviation of initial weights: N(0, deviation²).
  var deviation: Float

  init(_ store: ParameterStore, deviation: Float) {
    (self.store, path) = (store, "")
    self.deviation = deviation
  }

  private init(_ scope: ParameterScope, path: String) {
    (store, self.path) = (scope.store, path)
    deviation = scope.deviation
  }

  /// Returns the scope of a part.
  subscript(_ name: String) -> ParameterScope {
    ParameterScope(self, path: path.isEmpty ? name : "\(path).\(name)")
  }

  /// Returns the scope of one of several equal parts.
  subscript(_ number: Int) -> ParameterScope { self[String(number)] }

  /// Returns the same scope with another deviation of initial weights.
  func drawing(deviation: Float) -> ParameterScope {
    var scope = self
    scope.deviation = deviation
    return scope
  }

  /// Declares weights drawn from N(0, deviation²), with the first `zeroRows` rows zero.
  func weight(_ rows: Int, _ columns: Int, zeroRows: Int = 0) -> Parameter {
    parameter("weight", [rows, columns], .normal(deviation: deviation, zeroRows: zeroRows))
  }

  /// Declares biases, which start at zero.
  func bias(_ count: Int) -> Parameter { parameter("bias", [count], .constant(0)) }

  /// Declares a parameter, or returns the one that a model on the same trunk has already declared.
  func parameter(_ name: String, _ shape: [Int], _ initializer: Initializer) -> Parameter {
    let path = self[name].path
    guard let shared = store[path] else { return store.add(path, shape, initializer) }
    precondition(shared.shape == shape, "\(path) has two shapes")
    return shared
  }
}
