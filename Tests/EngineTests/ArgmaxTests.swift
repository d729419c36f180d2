import Testing

@testable import Engine

@Suite struct ArgmaxTests {
  /// Columns past the given ones do not count, and of equals the first wins.
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
      #expect(backend.argmax(tensor, columns: columns) == expected)
    }
  }
}
