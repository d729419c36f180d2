import TestSupport
import Testing

@testable import Engine

@Suite(.serialized) struct DropoutTests {
  /// Dropout's factors are exactly the documented ones, whatever the kernels, the threads and the
  /// part of the rows.
  @Test(arguments: [1, 16, 100, 128, 129, 300])
  func masksAreAsDocumented(columns: Int) throws {
    let expected = Referee.dropoutFactors(rows: 60, columns: columns, probability: 0.3, stream: 1).floats
    try Backends.forEach { backend in
      let tape = Tape.training(backend, seed: OperationCheck.seed, step: OperationCheck.step)
      let out = tape.dropoutFactors(60, columns, probability: 0.3)
      #expect(backend.values(of: out) == expected, "\(backend.summary)")
    }
  }

  @Test func seedsStepsPartsAndUsesDiffer() throws {
    let backend = try CPUBackend(threads: 1)
    func mask(seed: UInt64, step: UInt64, part: UInt32, uses: Int = 1) -> [Float] {
      let tape = Tape.training(backend, seed: seed, step: step, part: part)
      let uses = (0..<uses).map { _ in tape.dropoutFactors(4, 128, probability: 0.5) }
      return backend.values(of: uses[uses.count - 1])
    }
    let masks = [
      mask(seed: 1, step: 1, part: 0), mask(seed: 2, step: 1, part: 0), mask(seed: 1, step: 2, part: 0),
      mask(seed: 1, step: 1, part: 1), mask(seed: 1, step: 1, part: 0, uses: 2),
      mask(seed: 1 << 40, step: 1, part: 0),
    ]
    #expect(Set(masks).count == masks.count)
    #expect(mask(seed: 1, step: 1, part: 0) == masks[0])
  }

  @Test(arguments: [Float(0.1), 0.5, 0.9])
  func keepsWithTheRightRateAndMean(probability: Float) throws {
    let backend = try CPUBackend(threads: 2)
    let tape = Tape.training(backend, seed: 11, step: 1)
    let values = backend.values(of: tape.dropoutFactors(1000, 200, probability: probability))
    let (count, p) = (Double(values.count), Double(probability))
    let kept = Double(values.filter { $0 != 0 }.count)
    #expect(abs(kept / count - (1 - p)) < 5 * (p * (1 - p) / count).squareRoot() + 1e-5)
    #expect(
      abs(values.reduce(0) { $0 + Double($1) } / count - 1) < 5 * (p / (1 - p) / count).squareRoot() + 1e-4)
    // Neighbours in a row or in a column are independent.
    for distance in [1, 2, 8, 16, 128, 200] {
      let both = zip(values, values.dropFirst(distance)).reduce(0.0) { $0 + ($1.0 != 0 && $1.1 != 0 ? 1 : 0) }
      let share = both / (count - Double(distance))
      #expect(abs(share - (1 - p) * (1 - p)) < 5 * (0.25 / count).squareRoot())
    }
  }

  @Test func nothingIsDroppedWithoutTraining() throws {
    let backend = try CPUBackend(threads: 1)
    #expect(Tape.inference(backend).dropout(0.5) == nil)
    #expect(Tape.training(backend, seed: 1, step: 1).dropout(0) == nil)
  }

  /// A probability below half of 1/65,536 rounds to 0.
  @Test func tinyProbability() throws {
    try Backends.forEach { backend in
      let factors = Tape.training(backend, seed: 1, step: 1).dropoutFactors(5, 40, probability: 1e-6)
      #expect(backend.values(of: factors).allSatisfy { $0 == 1 })
    }
  }

  /// Returns which of the 64 keys from `first` on each query of an attention keeps.
  private func keptKeys(
    _ backend: any Backend, queries: [Int], keys: [Int], from first: Int, tape: Tape
  ) -> [[Bool]] {
    // Equal keys have equal probabilities. Each key's value is a one in a column of its own.
    let rows = keys.reduce(0, +)
    var values = Matrix(rows: rows, columns: 128)
    var start = 0
    for count in keys {
      for key in first..<max(first, min(first + 64, count)) { values[start + key, 64 + key - first] = 1 }
      start += count
    }
    let zero = Matrix(rows: queries.reduce(0, +), columns: 64)
    let out = tape.attention(
      queries: leaf(zero, on: backend), keysValues: leaf(values, on: backend), keyColumn: 0, valueColumn: 64,
      width: 64, heads: 1, querySegments: Segments(lengths: queries, on: backend),
      keySegments: Segments(lengths: keys, on: backend), dropout: 0.5)
    let found = backend.values(of: out)
    return (0..<zero.rows).map { row in found[row * 64..<(row + 1) * 64].map { $0 != 0 } }
  }

  /// An attention's dropout factors are exactly the documented ones, on both devices and in both
  /// precisions.
  ///
  /// This holds for sequences after one another, and for keys far from the first.
  @Test(arguments: [0, 64, 200]) func keptKeysAreAsDocumented(first: Int) throws {
    let (queries, keys) = ([3, 40, 0, 70, 1], [70, 40, 8, 264, 129])
    let expected = zip(queries, keys).reduce(into: [[Bool]]()) { found, sequence in
      let factors = Referee.dropoutFactors(
        rows: sequence.0, columns: 264, probability: 0.5, stream: 1, firstRow: found.count)
      found += (0..<sequence.0).map { row in
        (first..<first + 64).map { $0 < sequence.1 && factors[row, $0] != 0 }
      }
    }
    func check(_ backend: any Backend) throws {
      let tape = Tape.training(backend, seed: OperationCheck.seed, step: OperationCheck.step)
      let found = keptKeys(backend, queries: queries, keys: keys, from: first, tape: tape)
      #expect(found == expected, "\(backend.summary)")
    }
    try Backends.forEach(check)
    try Backends.forEachBF16(check)
    try check(TestGPU.open(.bf16))
  }

  /// No two queries share random numbers, however many keys their sequences have.
  ///
  /// A sequence's numbers do not depend on the other sequences' keys.
  @Test func queriesOfAllLengthsDropByThemselves() throws {
    try Backends.forEach { backend in
      func tape() -> Tape { .training(backend, seed: 5, step: 2) }
      let (queries, keys) = ([40, 40, 40, 40], [300, 64, 128, 200])
      let heads = keptKeys(backend, queries: queries, keys: keys, from: 0, tape: tape())
      let tails = keptKeys(backend, queries: queries, keys: keys, from: 128, tape: tape())
      // The fourth sequence also has 64 keys from key 128 on.
      let all = heads + tails[..<40] + tails[120...]
      #expect(Set(all).count == all.count, "\(backend.summary)")
      let short = keptKeys(backend, queries: [40, 40, 40], keys: [64, 64, 128], from: 0, tape: tape())
      #expect(Array(heads[40..<120]) == Array(short[40...]), "\(backend.summary)")
    }
  }
}

extension Tape {
  /// Returns the factors of one dropout: that of a norm whose every element is 1.
  func dropoutFactors(_ rows: Int, _ columns: Int, probability: Float, type: ElementType = .float32) -> Tensor
  {
    let x = leaf(.random(rows, columns, seed: 1), type: type, on: backend)
    let (gamma, beta) = (
      leaf(Matrix(rows: 1, columns: columns), on: backend),
      leaf(Matrix(rows: 1, columns: columns, repeating: 1), on: backend)
    )
    return layerNorm(x, gamma, beta, epsilon: 1, outerDropout: probability)
  }
}
