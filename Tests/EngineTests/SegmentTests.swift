import TestSupport
import Testing

@testable import Engine

/// Operations on packed sequences other than attention.
@Suite(.serialized) struct SegmentTests {
  let segments = Segments(lengths: [3, 1, 0, 20, 17, 2, 0, 33])

  @Test(arguments: [1, 16, 50, 128])
  func softmaxPoolEqualsReferee(columns: Int) throws {
    try OperationCheck([
      .random(segments.rows, columns, seed: 1), .random(segments.rows, 1, scale: 2, seed: 2),
    ]) { tape, t in
      tape.softmaxPool(t[0], scores: t[1], segments: segments.on(tape.backend))
    } referee: { m in
      Referee.softmaxPool(m[0], m[1], segments)
    }.run()
  }

  /// Masked rows, whose scores are −1e10, have no part in the sum.
  @Test func softmaxPoolOfMaskedRows() throws {
    let segments = Segments(lengths: [4, 20])
    var scores = Matrix.random(24, 1, seed: 2)
    for r in [0, 2, 5, 20, 23] { scores[r, 0] = -1e10 }
    try OperationCheck([.random(24, 10, seed: 1), scores]) { tape, t in
      tape.softmaxPool(t[0], scores: t[1], segments: segments.on(tape.backend))
    } referee: { m in
      Referee.softmaxPool(m[0], m[1], segments)
    }.run()
  }

  @Test(arguments: [1, 7, 90])
  func segmentMaxEqualsReferee(rows: Int) throws {
    var check = OperationCheck([.random(rows, segments.rows, seed: 1)]) { tape, t in
      tape.segmentMax(t[0], segments: segments.on(tape.backend))
    } referee: { m in
      Referee.segmentMax(m[0], segments)
    }
    check.hasBF16Inputs = false
    try check.run()
  }

  /// The first of equal values gets the whole gradient.
  @Test func segmentMaxOfTies() throws {
    try Backends.forEach { backend in
      let x = leaf(Matrix(row: [1, 2, 2, 2, -1, -1]), on: backend)
      let tape = Tape.training(backend, seed: 1, step: 1)
      let out = tape.segmentMax(x, segments: Segments(lengths: [4, 2], on: backend))
      tape.customLoss([out]) { _ in [[3, 5]] }
      tape.backward()
      #expect(x.gradient.map { backend.values(of: $0) } == [0, 3, 0, 0, 5, 0])
    }
  }

  @Test(arguments: [1, 24, 100])
  func pairDotEqualsReferee(columns: Int) throws {
    let pairs = [0..<4, 2..<9, 5..<5, 0..<12, 11..<12, 2..<9]
    try OperationCheck([.random(pairs.count, columns, seed: 1), .random(12, columns, seed: 2)]) { tape, t in
      tape.pairDot(t[0], t[1], pairs)
    } referee: { m in
      Referee.pairDot(m[0], m[1], pairs)
    }.run()
  }

  /// Queries may be chosen by number, and several may share a range of rows.
  @Test(arguments: [1, 24, 100])
  func pairDotOfChosenQueriesEqualsReferee(columns: Int) throws {
    let (queries, x) = (Matrix.random(4, columns, seed: 1), Matrix.random(12, columns, seed: 2))
    let pairs = [2..<9, 0..<4, 2..<9, 5..<5, 2..<8, 0..<12, 11..<12, 2..<9]
    let chosen = [3, 0, 0, 1, 2, 3, 3, 1]
    let rows = Matrix(rows: chosen.count, columns: columns) { queries[chosen[$0], $1] }
    let expected = Referee.pairDot(rows, x, pairs).values
    try Backends.forEach { backend in
      let places = Segments(lengths: pairs.map(\.count), on: backend)
      let out = Tape.inference(backend).pairDot(
        leaf(queries, on: backend), queryRows: chosen, leaf(x, on: backend),
        pairs: RowRanges(pairs, on: backend), places: places)
      for (value, wanted) in paired(backend.values(of: out), expected) {
        #expect(abs(Double(value) - wanted) <= 1e-5 * Double(columns))
      }
    }
  }

  @Test(arguments: [1, 3, 5, 9])
  func convolveEqualsReferee(width: Int) throws {
    try OperationCheck([.random(1, segments.rows, seed: 1), .random(1, width, seed: 2)]) { tape, t in
      tape.convolve(t[0], kernel: t[1], segments: segments.on(tape.backend))
    } referee: { m in
      Referee.convolve(m[0], m[1], segments)
    }.run()
  }

  @Test func segmentSoftmaxEqualsReferee() throws {
    let x = Matrix.random(1, segments.rows, scale: 4, seed: 1)
    let expected = segments.ranges.flatMap { Referee.softmax(Array(x.values[$0])) }
    try Backends.forEach { backend in
      let tensor = leaf(x, on: backend)
      backend.run(SegmentSoftmax(tensor, segments: segments.on(backend)))
      for (value, wanted) in paired(backend.values(of: tensor), expected) {
        #expect(abs(Double(value) - wanted) <= 1e-6)
      }
    }
  }
}
