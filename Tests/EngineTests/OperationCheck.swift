import Testing

@testable import Engine

/// A check of an operation of the tape against a referee in double precision.
///
/// It compares the result with the referee's, and the gradient of a random linear functional of the
/// result with central differences of the referee.
struct OperationCheck {
  /// Seed and step of the tapes, which fix the dropout masks.
  static let seed: UInt64 = 0x0123_4567_89AB_CDEF
  static let step: UInt64 = 3

  /// The tolerance of the result, relative to its largest element.
  var forwardTolerance = 1e-5
  /// The tolerance of an input's gradient, relative to its norm.
  var gradientTolerance = 1e-4
  /// The tolerances in bfloat16, whose 8 bits round by up to 0.4 %, several times on the way.
  var bf16ForwardTolerance = 0.02
  var bf16GradientTolerance = 0.03
  /// Whether inputs may be rounded to bfloat16, which makes some equal.
  var hasBF16Inputs = true
  /// Whether the operation leaves its inputs unchanged.
  var keepsInputs = true
  var inputs: [Matrix]
  private let compute: (Tape, [Tensor]) -> [Float]
  private let referee: ([Matrix]) -> Matrix
  private let functional: (Matrix) -> Matrix

  /// Makes the check of an operation whose result is a tensor.
  init(
    _ inputs: [Matrix], _ operation: @escaping (Tape, [Tensor]) -> Tensor,
    referee: @escaping ([Matrix]) -> Matrix
  ) {
    self.inputs = inputs
    self.referee = referee
    let weights = { (like: Matrix) in Matrix.random(like.rows, like.columns, seed: 99) }
    functional = weights
    compute = { tape, tensors in
      let result = operation(tape, tensors)
      let values = tape.backend.values(of: result)
      tape.customLoss([result]) { _ in [weights(Matrix(rows: result.rows, columns: result.columns)).floats] }
      return values
    }
  }

  /// Makes the check of a loss whose gradient starts with `weight` for each row.
  init(
    _ inputs: [Matrix], weight: Float, losses: @escaping (Tape, [Tensor]) -> Tensor,
    referee: @escaping ([Matrix]) -> Matrix
  ) {
    self.inputs = inputs
    self.referee = referee
    functional = { Matrix(rows: $0.rows, columns: $0.columns, repeating: Double(weight)) }
    compute = { tape, tensors in tape.backend.values(of: losses(tape, tensors)) }
  }

  /// A direction in which one input is moved, and how fast the functional then grows.
  private struct Probe {
    var elements: Range<Int>
    var direction: [Double]
    var slope: Double
  }

  /// Runs the check in float32 on all backends and in bfloat16 on the CPU's.
  ///
  /// In bfloat16 it runs with float32 inputs, as features, embeddings and weights are. It runs
  /// again with all inputs but vectors in bfloat16, as results of layers are.
  func run(sourceLocation: SourceLocation = #_sourceLocation) throws {
    try run(of: .float32, sourceLocation: sourceLocation) { try Backends.forEach($0) }
    var bf16 = self
    (bf16.forwardTolerance, bf16.gradientTolerance) = (
      max(forwardTolerance, bf16ForwardTolerance), max(gradientTolerance, bf16GradientTolerance)
    )
    try bf16.run(of: .float32, sourceLocation: sourceLocation) { body in
      try Backends.forEachBF16 { try body($0) }
    }
    guard hasBF16Inputs else { return }
    bf16.inputs = inputs.map { $0.rows > 1 ? $0.asBF16 : $0 }
    try bf16.run(of: .bfloat16, sourceLocation: sourceLocation) { body in
      try Backends.forEachBF16 { try body($0) }
    }
  }

  private func run(
    of type: ElementType, sourceLocation: SourceLocation,
    _ forEachBackend: ((any Backend) throws -> Void) throws -> Void
  ) throws {
    let expected = referee(inputs)
    let weights = functional(expected)
    let probes = inputs.indices.map { self.probes(of: $0, weights) }
    try forEachBackend { backend in
      let label = Comment(rawValue: "\(backend.summary), inputs of \(type)")
      let tensors = inputs.map { leaf($0, type: $0.rows > 1 ? type : .float32, on: backend) }
      let tape = Tape.training(backend, seed: Self.seed, step: Self.step)
      let result = compute(tape, tensors)
      try #require(result.count == expected.count, label, sourceLocation: sourceLocation)
      let error = zip(result, expected.values).reduce(0) { max($0, distance(Double($1.0), $1.1)) }
      #expect(
        error <= forwardTolerance * max(expected.magnitude, 1e-3), label, sourceLocation: sourceLocation)
      if keepsInputs {
        for (tensor, input) in zip(tensors, inputs) {
          #expect(backend.values(of: tensor) == input.floats, label, sourceLocation: sourceLocation)
        }
      }
      tape.backward()
      for (number, tensor) in tensors.enumerated() {
        let gradient =
          tensor.gradient.map { backend.values(of: $0) } ?? [Float](repeating: 0, count: tensor.count)
        check(
          gradient, probes[number], "gradient of input \(number), \(backend.summary)",
          sourceLocation: sourceLocation)
      }
    }
  }

  private func check(
    _ gradient: [Float], _ probes: [Probe], _ label: Comment, sourceLocation: SourceLocation
  ) {
    var (error, size) = (0.0, 0.0)
    for probe in probes {
      let slope = zip(gradient[probe.elements], probe.direction).reduce(0) { $0 + Double($1.0) * $1.1 }
      error += distance(slope, probe.slope) * distance(slope, probe.slope)
      size += probe.slope * probe.slope
    }
    #expect(
      error.squareRoot() <= gradientTolerance * max(size.squareRoot(), 1e-3), label,
      sourceLocation: sourceLocation)
  }

  /// Returns the distance of two numbers, which is infinite for a NaN.
  private func distance(_ a: Double, _ b: Double) -> Double { (a - b).isNaN ? .infinity : abs(a - b) }

  /// Returns a probe for every element of a small input, or in a random direction for every row of
  /// a large one.
  private func probes(of number: Int, _ weights: Matrix) -> [Probe] {
    let input = inputs[number]
    if input.count <= 200 {
      return (0..<input.count).map { probe(number, $0..<$0 + 1, [1], weights) }
    }
    return (0..<input.rows).map { row in
      probe(
        number, row * input.columns..<(row + 1) * input.columns,
        Matrix.random(1, input.columns, seed: UInt64(1000 + row)).values, weights)
    }
  }

  private func probe(_ number: Int, _ elements: Range<Int>, _ direction: [Double], _ weights: Matrix) -> Probe
  {
    let width = 1e-5
    func value(_ sign: Double) -> Double {
      var moved = inputs
      for (element, amount) in zip(elements, direction) {
        moved[number].values[element] += sign * width * amount
      }
      return zip(referee(moved).values, weights.values).reduce(0) { $0 + $1.0 * $1.1 }
    }
    return Probe(elements: elements, direction: direction, slope: (value(1) - value(-1)) / (2 * width))
  }
}

/// Makes a tensor that is no operation's result and needs its gradient.
func leaf(_ matrix: Matrix, type: ElementType = .float32, on backend: any Backend) -> Tensor {
  let tensor = Tensor(
    rows: matrix.rows, columns: matrix.columns,
    storage: backend.makeStorage(count: matrix.count, type: type),
    needsGradient: true)
  matrix.floats.withUnsafeBufferPointer { backend.upload($0, to: tensor) }
  return tensor
}
