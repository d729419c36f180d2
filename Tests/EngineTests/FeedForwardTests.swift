import Testing

@testable import Engine

@Suite(.serialized) struct FeedForwardTests {
  private static let inner = 40

  private func inputs(rows: Int) -> [Matrix] {
    [
      .random(rows, 12, seed: 1), .random(Self.inner, 12, scale: 0.5, seed: 2),
      .random(1, Self.inner, seed: 3),
      .random(12, Self.inner, scale: 0.3, seed: 4), .random(1, 12, seed: 5),
    ]
  }

  @Test(arguments: [0, 1, 19, 70], [true, false]) func equalsReferee(rows: Int, hasBias: Bool) throws {
    let all = inputs(rows: rows)
    try OperationCheck(hasBias ? all : [all[0], all[1], all[3]]) { tape, t in
      hasBias
        ? tape.feedForward(t[0], up: (t[1], t[2]), down: (t[3], t[4]))
        : tape.feedForward(t[0], up: (t[1], nil), down: (t[2], nil))
    } referee: { m in
      hasBias
        ? Referee.linear(Referee.linear(m[0], m[1], m[2], .gelu), m[3], m[4], .none)
        : Referee.linear(Referee.linear(m[0], m[1], nil, .gelu), m[2], nil, .none)
    }.run()
  }

  /// A feed-forward operation gives the bits of two layers that keep their hidden rows, forward and
  /// backward, in less memory.
  @Test func equalsTwoLayers() throws {
    func run(_ operation: (Tape, [Tensor]) -> Tensor) throws -> (values: [[Float]], memory: Int) {
      let backend = try CPUBackend(threads: 2)
      let tensors = inputs(rows: 3000).map { leaf($0, on: backend) }
      let tape = Tape.training(backend, seed: 1, step: 1)
      let before = backend.memory.now
      let result = (0..<4).reduce(tensors[0]) { x, _ in operation(tape, [x] + tensors[1...]) }
      let memory = backend.memory.now - before
      let values = backend.values(of: result)
      tape.customLoss([result]) { _ in [Matrix.random(result.rows, result.columns, seed: 9).floats] }
      tape.backward()
      return ([values] + tensors.map { backend.values(of: $0.gradient!) }, memory)
    }
    let one = try run { $0.feedForward($1[0], up: ($1[1], $1[2]), down: ($1[3], $1[4])) }
    let two = try run { tape, t in
      tape.linear(tape.linear(t[0], t[1], t[2], activation: .gelu), t[3], t[4])
    }
    #expect(one.values == two.values)
    #expect(one.memory < two.memory)
  }

  @Test func inferenceEqualsTraining() throws {
    try Backends.forEach { backend in
      let t = inputs(rows: 9).map { leaf($0, on: backend) }
      let results = [Tape.training(backend, seed: 1, step: 1), .inference(backend)].map {
        backend.values(of: $0.feedForward(t[0], up: (t[1], t[2]), down: (t[3], t[4])))
      }
      #expect(results[0] == results[1])
    }
  }
}
