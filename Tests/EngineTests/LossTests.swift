import Foundation
import TestSupport
import Testing

@testable import Engine

@Suite(.serialized) struct LossTests {
  /// The losses overwrite their logits, so these are a copy of the input.
  private func copy(_ tape: Tape, _ x: Tensor) -> Tensor { tape.gatherSum([(x, nil)]) }

  @Test(arguments: [(5, 5), (16, 16), (50, 57), (1000, 1008), (2, 2)], [Float(0), 0.1])
  func crossEntropyEqualsReferee(shape: (columns: Int, width: Int), smoothing: Float) throws {
    let (columns, width) = shape
    let rows = 13
    var random = TestRandom(seed: 1)
    var targets = (0..<rows).map { _ in Int.random(in: 0..<columns, using: &random) }
    targets[4] = -1
    targets[12] = -1
    let fixed = targets
    try OperationCheck([.random(rows, width, scale: 3, seed: 2)], weight: 0.25) { tape, t in
      tape.crossEntropy(
        copy(tape, t[0]), columns: columns, targets: tape.backend.makeIndices(fixed), smoothing: smoothing,
        weight: 0.25)
    } referee: { m in
      Referee.crossEntropy(m[0], columns: columns, targets: fixed, smoothing: Double(smoothing))
    }.run()
  }

  @Test func segmentCrossEntropyEqualsReferee() throws {
    let segments = Segments(lengths: [4, 0, 16, 33, 1, 5])
    let targets = [3, 0, 15, 20, 0, -1]
    try OperationCheck([.random(1, segments.rows, scale: 3, seed: 2)], weight: -1.5) { tape, t in
      tape.segmentCrossEntropy(
        copy(tape, t[0]), segments: segments.on(tape.backend), targets: tape.backend.makeIndices(targets),
        weight: -1.5)
    } referee: { m in
      Referee.segmentCrossEntropy(m[0], segments, targets)
    }.run()
  }

  /// Losses are right for logits that masks have pushed far down, and for huge ones.
  @Test(arguments: [-1e10, 1e4])
  func extremeLogits(extreme: Double) throws {
    var logits = Matrix.random(3, 40, seed: 1)
    for c in stride(from: 0, to: 40, by: 3) { logits[1, c] = extreme }
    logits[2, 39] = extreme
    let input = logits
    var check = OperationCheck([input], weight: 1) { tape, t in
      tape.crossEntropy(copy(tape, t[0]), targets: tape.backend.makeIndices([0, 4, 5]), weight: 1)
    } referee: { m in
      // Softmax underflows where the loss itself does not: log p = x − max − log Σ exp(x − max).
      Matrix(rows: 3, columns: 1) { r, _ in
        let row = Array(m[0].values[r * 40..<(r + 1) * 40])
        return Referee.logSumExp(row) - row[[0, 4, 5][r]]
      }
    }
    check.forwardTolerance = 1e-6
    try check.run()
  }

  @Test func binaryCrossEntropyEqualsReferee() throws {
    let targets = [1, 0, -1, 1, 0]
    try OperationCheck([.random(5, 1, scale: 3, seed: 2)], weight: 0.5) { tape, t in
      tape.binaryCrossEntropy(copy(tape, t[0]), targets: tape.backend.makeIndices(targets), weight: 0.5)
    } referee: { m in
      Matrix(
        row: paired(m[0].values, targets).map { x, target in
          target < 0 ? 0 : log(1 + exp(target == 1 ? -x : x))
        })
    }.run()
  }

  /// Extreme logits have finite losses, and slopes of −1, 0 or 1.
  @Test func binaryCrossEntropyIsStable() throws {
    try Backends.forEach { backend in
      let x = leaf(Matrix(row: [200, -200, 200, -200]), on: backend)
      let tape = Tape.training(backend, seed: 1, step: 1)
      let logits = copy(tape, x)
      let losses = tape.binaryCrossEntropy(logits, targets: backend.makeIndices([0, 1, 1, 0]), weight: 1)
      #expect(backend.values(of: losses) == [200, 200, 0, 0])
      tape.backward()
      #expect(x.gradient.map { backend.values(of: $0) } == [1, -1, 0, 0])
    }
  }

  @Test(arguments: [1, 16, 37])
  func distancesEqualReferee(columns: Int) throws {
    let targets = Matrix.random(6, columns, seed: 7)
    try OperationCheck([.random(6, columns, seed: 2)], weight: 0.3) { tape, t in
      tape.distances(
        copy(tape, t[0]), targets: tape.backend.makeTensor(targets.floats, rows: 6, columns: columns),
        weight: 0.3)
    } referee: { m in
      Matrix(rows: 6, columns: 1) { r, _ in
        (0..<columns).reduce(0) { $0 + pow(m[0][r, $1] - targets[r, $1], 2) }.squareRoot()
      }
    }.run()
  }

  /// The gradient of an exact prediction is 0.
  @Test func distanceOfEquals() throws {
    try Backends.forEach { backend in
      let x = leaf(Matrix(row: [1, -2]), on: backend)
      let tape = Tape.training(backend, seed: 1, step: 1)
      let target = backend.makeTensor([1, -2], rows: 1, columns: 2)
      #expect(backend.values(of: tape.distances(copy(tape, x), targets: target, weight: 1)) == [0])
      tape.backward()
      #expect(x.gradient.map { backend.values(of: $0) } == [0, 0])
    }
  }

  /// Sums stay in double precision on the device until all of them are read at once.
  @Test func sumsAreAddedUp() throws {
    try Backends.forEach { backend in
      let tape = Tape.inference(backend)
      let (a, b) = (leaf(Matrix(row: [1, 2, 3]), on: backend), leaf(Matrix(row: [0.5]), on: backend))
      let (one, two) = (tape.sum([a, b], scale: 2), tape.sum([], scale: 1))
      backend.run(AddSumOfSquares(x: [a], sums: two, place: 0))
      #expect(backend.numbers(of: [one, two]) == [13, 14])
    }
  }

  /// A loss in inference leaves its logits unchanged.
  @Test func inferenceLeavesLogits() throws {
    try Backends.forEach { backend in
      let logits = Matrix.random(4, 20, seed: 1)
      let tensor = leaf(logits, on: backend)
      let tape = Tape.inference(backend)
      let losses = tape.crossEntropy(tensor, targets: tape.backend.makeIndices([0, 1, -1, 19]), weight: 1)
      let row = leaf(Matrix(row: logits.values), on: backend)
      _ = tape.segmentCrossEntropy(
        row, segments: Segments(lengths: [40, 40], on: tape.backend),
        targets: tape.backend.makeIndices([1, 2]), weight: 1)
      #expect(losses.count == 4 && backend.values(of: losses)[2] == 0)
      #expect(backend.values(of: tensor) == logits.floats)
      #expect(backend.values(of: row) == logits.floats)
    }
  }
}
