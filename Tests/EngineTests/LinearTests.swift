import Testing

@testable import Engine

@Suite(.serialized) struct LinearTests {
  static let shapes: [(rows: Int, inner: Int, columns: Int)] = [
    (1, 1, 1), (3, 5, 7), (17, 16, 33), (40, 96, 48), (9, 130, 200), (300, 24, 31),
  ]

  @Test(arguments: [Activation.none, .relu, .gelu], [true, false])
  func equalsReferee(activation: Activation, hasBias: Bool) throws {
    for (rows, inner, columns) in Self.shapes {
      let x = Matrix.random(rows, inner, seed: 1)
      let weight = Matrix.random(columns, inner, scale: 0.5, seed: 2)
      let bias = Matrix.random(1, columns, seed: 3)
      var check = OperationCheck(hasBias ? [x, weight, bias] : [x, weight]) { tape, t in
        tape.linear(t[0], t[1], hasBias ? t[2] : nil, activation: activation)
      } referee: { m in
        Referee.linear(m[0], m[1], hasBias ? m[2] : nil, activation)
      }
      // A rounded argument may cross a ReLU's kink, which changes its whole slope.
      if activation == .relu { check.bf16GradientTolerance = 0.1 }
      try check.run()
    }
  }

  /// QuickGELU, whose networks are not trained here, equals the referee in inference.
  @Test func quickGELUEqualsReferee() throws {
    for (rows, inner, columns) in Self.shapes {
      let x = Matrix.random(rows, inner, seed: 1)
      let weight = Matrix.random(columns, inner, scale: 0.5, seed: 2)
      let bias = Matrix.random(1, columns, seed: 3)
      let expected = Referee.linear(x, weight, bias, .quickGELU).values
      try Backends.forEach { backend in
        let tensors = [x, weight, bias].map { leaf($0, on: backend) }
        let result = backend.values(
          of: Tape.inference(backend).linear(tensors[0], tensors[1], tensors[2], activation: .quickGELU))
        let worst = zip(result, expected).map { abs(Double($0) - $1) / max(1, abs($1)) }.max() ?? 0
        #expect(worst < (backend.precision == .fp32 ? 1e-5 : 0.05))
      }
    }
  }

  /// The weight's gradient of an input without rows is zero, not what memory held.
  @Test func emptyInput() throws {
    try OperationCheck([Matrix(rows: 0, columns: 6), .random(4, 6, seed: 1), .random(1, 4, seed: 2)]) {
      tape, t in
      tape.linear(t[0], t[1], t[2], activation: .gelu)
    } referee: { m in
      Referee.linear(m[0], m[1], m[2], .gelu)
    }.run()
  }

  /// Inference equals training, though a GELU's argument shares its result's memory there.
  @Test(arguments: [Activation.none, .relu, .gelu])
  func inferenceEqualsTraining(activation: Activation) throws {
    try Backends.forEach { backend in
      let (x, weight) = (
        leaf(.random(9, 20, seed: 1), on: backend), leaf(.random(37, 20, seed: 2), on: backend)
      )
      let bias = leaf(.random(1, 37, seed: 3), on: backend)
      let results = [Tape.training(backend, seed: 1, step: 1), .inference(backend)].map {
        backend.values(of: $0.linear(x, weight, bias, activation: activation))
      }
      #expect(results[0] == results[1])
    }
  }
}
