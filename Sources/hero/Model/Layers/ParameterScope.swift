import Engine

/// Where a module declares its parameters: whose they are, how their names begin, how weights
/// start.
///
/// Names are the reference's, so that checkpoints go both ways: `scope["encoder"]["layer"][0]`
/// begins with `encoder.layer.0.`.
struct ParameterScope {
  private let store: ParameterStore
  private let path: String
  /// Weights start from N(0, deviation²).
  var deviation: Float

  init(_ store: ParameterStore, deviation: Float) {
    (self.store, path) = (store, "")
    self.deviation = deviation
  }

  private init(_ scope: ParameterScope, path: String) {
    (store, self.path) = (scope.store, path)
    deviation = scope.deviation
  }

  /// The scope of a part.
  subscript(_ name: String) -> ParameterScope {
    ParameterScope(self, path: path.isEmpty ? name : "\(path).\(name)")
  }

  /// The scope of one of several like parts.
  subscript(_ number: Int) -> ParameterScope { self[String(number)] }

  /// The same scope, whose weights start with another deviation.
  func drawing(deviation: Float) -> ParameterScope {
    var scope = self
    scope.deviation = deviation
    return scope
  }

  /// Weights that start from N(0, deviation²); the first `zeroRows` rows are zero.
  func weight(_ rows: Int, _ columns: Int, zeroRows: Int = 0) -> Parameter {
    parameter("weight", [rows, columns], .normal(deviation: deviation, zeroRows: zeroRows))
  }

  /// Biases, which start at zero.
  func bias(_ count: Int) -> Parameter { parameter("bias", [count], .constant(0)) }

  /// One that is declared already, by a model that shares the trunk, is the same.
  func parameter(_ name: String, _ shape: [Int], _ initializer: Initializer) -> Parameter {
    let path = self[name].path
    guard let shared = store[path] else { return store.add(path, shape, initializer) }
    precondition(shared.shape == shape, "\(path) has two shapes")
    return shared
  }
}
