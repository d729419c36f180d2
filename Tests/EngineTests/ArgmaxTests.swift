import Testing

@testable import Engine

@Suite struct ArgmaxTests {
  /// Columns past the given ones do not count, and the first of equal values wins.
  @Test func firstOfTheLargest() throws {
    let backend = try CPUBackend()
    for columns in [1, 15, 16, 17, 100] {
      var values = (0..<4 * (columns + 3)).map { Float(($0 * 7919) % 31) - 40 }
      for row in 0..<4 { values[row * (columns + 3) + columns] = 1000 }
      let expected = (0..<4).map { row -> Int32 in
        let own = values[row * (columns + 3)..<row * (columns + 3) + columns]
        let most = own.max() ?? 0
        return Int32((own.firstIndex(of: most) ?? 0) - own.startIndex)
      }
      let tensor = backend.makeTensor(values, rows: 4, columns: columns + 3)
      let places = backend.makeIndices(count: 4)
      backend.run(Argmax(tensor, columns: columns, places: places))
      #expect(backend.values(of: places) == expected)
    }
  }

  /// Equal values keep their order, and NaN never counts.
  @Test func largestFirst() throws {
    try Backends.forEach { backend in
      let x = backend.makeTensor([3, 1, 3, .nan, 2, -1, .nan, .nan, 7, .nan], rows: 2, columns: 5)
      let (values, places) = (backend.makeTensor(rows: 2, columns: 3), backend.makeIndices(count: 6))
      backend.run(TopK(x, values: values, places: places))
      #expect(backend.values(of: places) == [0, 2, 4, 3, 0, -1])
      #expect(backend.values(of: values) == [3, 3, 2, 7, -1, -.infinity])
    }
  }

  @Test func topKEqualsSorting() throws {
    let x = Matrix.random(5, 300, seed: 3)
    try Backends.forEach { backend in
      let (values, places) = (backend.makeTensor(rows: 5, columns: 40), backend.makeIndices(count: 200))
      backend.run(TopK(leaf(x, on: backend), values: values, places: places))
      let expected = (0..<5).flatMap { row in
        (0..<300).sorted { x[row, $0] > x[row, $1] }.prefix(40).map { Int32($0) }
      }
      #expect(backend.values(of: places) == expected)
    }
  }

  /// The top k of columns in three pieces are those of all columns, with equal values and NaN among
  /// them.
  @Test func topKOfPieces() throws {
    let (rows, columns, kept) = (4, 90, 12)
    var x = Matrix.random(rows, columns, seed: 3)
    for i in x.values.indices { x.values[i] = (x.values[i] * 4).rounded() }
    for column in 0..<columns where column != 80 { x[3, column] = .nan }
    try Backends.forEach { backend in
      let whole = (backend.makeTensor(rows: rows, columns: kept), backend.makeIndices(count: rows * kept))
      backend.run(TopK(leaf(x, on: backend), values: whole.0, places: whole.1))
      var best: (values: Tensor, places: Indices)?
      for piece in [0..<5, 5..<60, 60..<90] {
        let part = Matrix(rows: rows, columns: piece.count) { x[$0, piece.lowerBound + $1] }
        let found = (
          values: backend.makeTensor(rows: rows, columns: kept),
          places: backend.makeIndices(count: rows * kept)
        )
        backend.run(
          TopK(
            leaf(part, on: backend), firstColumn: piece.lowerBound, earlier: best, values: found.values,
            places: found.places))
        best = found
      }
      let found = try #require(best)
      #expect(backend.values(of: found.places) == backend.values(of: whole.1))
      #expect(backend.values(of: found.values) == backend.values(of: whole.0))
      #expect(backend.values(of: found.places)[3 * kept..<3 * kept + 2] == [80, -1])
    }
  }
}
