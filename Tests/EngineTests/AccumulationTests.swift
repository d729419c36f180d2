import TestSupport
import Testing

@testable import Engine

/// Gradients that reach one tensor along several paths.
@Suite(.serialized) struct AccumulationTests {
  @Test func residual() throws {
    try OperationCheck([.random(20, 24, seed: 1), .random(24, 24, scale: 0.3, seed: 2)]) { tape, t in
      let hidden = tape.linear(t[0], t[1], activation: .gelu)
      return tape.add(t[0], tape.add(hidden, t[0]))
    } referee: { m in
      let hidden = Referee.linear(m[0], m[1], nil, .gelu)
      return Referee.gatherSum([(m[0], nil), (hidden, nil), (m[0], nil)])
    }.run()
  }

  /// x·xᵀ: both gradients of the product go to one tensor.
  @Test(arguments: [Activation.none, .gelu])
  func productWithItself(activation: Activation) throws {
    try OperationCheck([.random(12, 20, scale: 0.5, seed: 1)]) { tape, t in
      tape.linear(t[0], t[0], activation: activation)
    } referee: { m in
      Referee.linear(m[0], m[0], nil, activation)
    }.run()
  }

  /// Both gradients of a product may go to one result, which may already have a gradient.
  @Test func productOfResultsWithThemselves() throws {
    try OperationCheck([.random(30, 20, scale: 0.4, seed: 1), .random(9, 20, scale: 0.4, seed: 2)]) {
      tape, t in
      let x = tape.linear(t[0], t[1], activation: .relu)
      let y = tape.linear(x, x)
      return tape.add(tape.linear(y, y), y)
    } referee: { m in
      let x = Referee.linear(m[0], m[1], nil, .relu)
      let y = Referee.linear(x, x, nil, .none)
      return Referee.gatherSum([(Referee.linear(y, y, nil, .none), nil), (y, nil)])
    }.run()
  }

  @Test func everyOperationAddsToWhatIsThere() throws {
    let segments = Segments(lengths: [3, 0, 7, 2])
    let inputs = [
      Matrix.random(12, 16, seed: 1), .random(12, 1, seed: 2), .random(1, 16, seed: 3),
      .random(1, 16, seed: 4),
    ]
    // Each operation adds to the gradients of all its inputs, which thus have several parts.
    try OperationCheck(inputs) { tape, t in
      let normed = tape.layerNorm(
        t[0], residual: tape.normalizeRows(t[0], floor: 1e-5), t[2], t[3], epsilon: 1e-5)
      let again = tape.layerNorm(normed, residual: t[0], t[2], t[3], epsilon: 1e-5)
      let pooled = tape.softmaxPool(again, scores: t[1], segments: segments.on(tape.backend))
      let more = tape.softmaxPool(t[0], scores: t[1], segments: segments.on(tape.backend))
      let dots = tape.pairDot(pooled, again, [0..<12, 0..<3, 3..<10, 10..<12])
      let others = tape.pairDot(more, t[0], [0..<12, 0..<3, 3..<10, 10..<12])
      return tape.add(dots, others)
    } referee: { m in
      let normed = Referee.layerNorm(
        m[0], residual: Referee.normalizeRows(m[0], floor: 1e-5), m[2], m[3], epsilon: 1e-5)
      let again = Referee.layerNorm(normed, residual: m[0], m[2], m[3], epsilon: 1e-5)
      let pairs = [0..<12, 0..<3, 3..<10, 10..<12]
      return Referee.gatherSum([
        (Referee.pairDot(Referee.softmaxPool(again, m[1], segments), again, pairs), nil),
        (Referee.pairDot(Referee.softmaxPool(m[0], m[1], segments), m[0], pairs), nil),
      ])
    }.run()
  }

  @Test func rowOperationsAddToWhatIsThere() throws {
    let segments = Segments(lengths: [6, 14])
    let inputs = [Matrix.random(1, 20, seed: 1), .random(1, 5, seed: 2)]
    try OperationCheck(inputs) { tape, t in
      let once = tape.convolve(t[0], kernel: t[1], segments: segments.on(tape.backend))
      let twice = tape.convolve(once, kernel: t[1], segments: segments.on(tape.backend))
      let sum = tape.gatherSum([(once, nil), (twice, nil), (t[0], nil)])
      let (x, y) = (
        tape.segmentMax(sum, segments: segments.on(tape.backend)),
        tape.segmentMax(once, segments: segments.on(tape.backend))
      )
      return tape.add(tape.linear(x, y), tape.pairDot(t[0], sum, [0..<1]))
    } referee: { m in
      let once = Referee.convolve(m[0], m[1], segments)
      let twice = Referee.convolve(once, m[1], segments)
      let sum = Referee.gatherSum([(once, nil), (twice, nil), (m[0], nil)])
      let (x, y) = (Referee.segmentMax(sum, segments), Referee.segmentMax(once, segments))
      return Referee.gatherSum([
        (Referee.linear(x, y, nil, .none), nil), (Referee.pairDot(m[0], sum, [0..<1]), nil),
      ])
    }.run()
  }

  /// A pair's query and rows may be the same tensor, and so may two terms of a sum.
  @Test func sameTensorTwice() throws {
    try OperationCheck([.random(4, 18, seed: 1)]) { tape, t in
      let sum = tape.gatherSum([
        (t[0], tape.backend.makeIndices([3, 3, -1, 0])), (t[0], nil),
        (t[0], tape.backend.makeIndices([1, 2, 3, 3])),
      ])
      return tape.add(
        tape.pairDot(t[0], t[0], [0..<2, 1..<4, 3..<4, 0..<0]),
        tape.pairDot(sum, sum, [0..<2, 1..<4, 3..<4, 0..<0]))
    } referee: { m in
      let sum = Referee.gatherSum([(m[0], [3, 3, -1, 0]), (m[0], nil), (m[0], [1, 2, 3, 3])])
      let pairs = [0..<2, 1..<4, 3..<4, 0..<0]
      return Referee.gatherSum([
        (Referee.pairDot(m[0], m[0], pairs), nil), (Referee.pairDot(sum, sum, pairs), nil),
      ])
    }.run()
  }

  /// A backward pass from two losses visits what both need once, with both gradients.
  @Test func severalLosses() throws {
    try Backends.forEach { backend in
      let x = leaf(Matrix(row: [2, 3]), on: backend)
      let tape = Tape.training(backend, seed: 1, step: 1)
      let y = tape.linear(x, x)
      tape.customLoss([y]) { _ in [[1]] }
      tape.customLoss([y, x]) { _ in [[10], [0.5, 0.25]] }
      tape.backward()
      #expect(x.gradient.map { backend.values(of: $0) } == [44.5, 66.25])
    }
  }
}
