import Testing

@testable import Engine

/// Gathers, sums, dropout, unit rows.
@Suite(.serialized) struct RowTests {
  @Test(arguments: [1, 16, 21, 200])
  func gatherSumEqualsReferee(columns: Int) throws {
    var random = TestRandom(seed: 5)
    let (rows, tables) = (50, [9, 30])
    let indices = tables.map { table in (0..<rows).map { _ in Int.random(in: -1..<table, using: &random) } }
    let inputs = [
      Matrix.random(tables[0], columns, seed: 1), .random(tables[1], columns, seed: 2),
      .random(rows, columns, seed: 3), .random(rows, columns, seed: 4),
    ]
    try OperationCheck(inputs) { tape, t in
      tape.gatherSum([
        (t[0], tape.backend.makeIndices(indices[0])), (t[2], nil),
        (t[1], tape.backend.makeIndices(indices[1])), (t[3], nil),
      ])
    } referee: { m in
      Referee.gatherSum([(m[0], indices[0]), (m[2], nil), (m[1], indices[1]), (m[3], nil)])
    }.run()
  }

  @Test func rowsWithoutAnyTermAreZero() throws {
    try OperationCheck([.random(3, 20, seed: 1)]) { tape, t in
      tape.gather(t[0], tape.backend.makeIndices([-1, 2, -1, -1]))
    } referee: { m in
      Referee.gatherSum([(m[0], [-1, 2, -1, -1])])
    }.run()
  }

  /// A reshaped matrix has the same elements and passes its gradient back to them.
  @Test func reshapeEqualsReferee() throws {
    try OperationCheck([.random(6, 20, seed: 1)]) { tape, t in
      tape.reshape(tape.scale(t[0], by: 2), rows: 3, columns: 40)
    } referee: { m in
      Matrix(rows: 3, columns: 40) { 2 * m[0].values[$0 * 40 + $1] }
    }.run()
  }

  @Test func gatherOfNothing() throws {
    try OperationCheck([.random(3, 20, seed: 1)]) { tape, t in
      tape.gather(t[0], tape.backend.makeIndices([Int]()))
    } referee: { m in
      Referee.gatherSum([(m[0], [])])
    }.run()
  }

  @Test(arguments: [Float(0.5), -3, 0])
  func scaleEqualsReferee(factor: Float) throws {
    try OperationCheck([.random(7, 33, seed: 1)]) { tape, t in
      tape.scale(t[0], by: factor)
    } referee: { m in
      Referee.times(m[0], Matrix(rows: 7, columns: 33, repeating: Double(factor)))
    }.run()
  }

  @Test(arguments: [2, 16, 45, 256])
  func normalizeRowsEqualsReferee(columns: Int) throws {
    var x = Matrix.random(12, columns, seed: 1)
    // Some rows are shorter than the floor, and one of them is zero.
    for c in 0..<columns {
      x[3, c] = 0
      x[4, c] = Double(Float(x[4, c] * 1e-3))
      x[9, c] = Double(Float(x[9, c] * 1e-4))
    }
    for floor in [Float(0.5), 1e-5] {
      // Far below the smaller floor, normalizing is not smooth on the scale of the differences.
      let inputs = floor == 0.5 ? x : Matrix.random(12, columns, seed: 2)
      try OperationCheck([inputs]) { tape, t in
        tape.normalizeRows(t[0], floor: floor)
      } referee: { m in
        Referee.normalizeRows(m[0], floor: floor)
      }.run()
    }
  }
}
