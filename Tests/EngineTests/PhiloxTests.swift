import Testing

@testable import Engine

struct PhiloxTests {
  /// Blocks equal the known answers that Random123 publishes for philox4x32-10.
  @Test func knownAnswers() {
    #expect(
      Philox.block(SIMD4(repeating: 0), key: SIMD2(repeating: 0))
        == SIMD4(0x6627_E8D5, 0xE169_C58D, 0xBC57_AC4C, 0x9B00_DBD8))
    #expect(
      Philox.block(SIMD4(repeating: .max), key: SIMD2(repeating: .max))
        == SIMD4(0x408F_276D, 0x41C8_3B0E, 0xA20B_C7C6, 0x6D54_51FD))
    #expect(
      Philox.block(
        SIMD4(0x243F_6A88, 0x85A3_08D3, 0x1319_8A2E, 0x0370_7344), key: SIMD2(0xA409_3822, 0x299F_31D0))
        == SIMD4(0xD16C_FE09, 0x94FD_CCEB, 0x5001_E420, 0x2412_6EA1))
  }

  @Test func streamsRepeatAndDiffer() {
    func draw(seed: UInt64, step: UInt64, stream: UInt32) -> [UInt64] {
      var random = RandomStream(seed: seed, step: step, stream: stream)
      return (0..<50).map { _ in random.next() }
    }
    let first = draw(seed: 1, step: 2, stream: 3)
    #expect(first == draw(seed: 1, step: 2, stream: 3))
    let others = [
      draw(seed: 1 << 32 | 1, step: 2, stream: 3), draw(seed: 2, step: 2, stream: 3),
      draw(seed: 1, step: 3, stream: 3), draw(seed: 1, step: 1 << 32 | 2, stream: 3),
      draw(seed: 1, step: 2, stream: 4),
    ]
    let all = ([first] + others).flatMap { $0 }
    #expect(Set(all).count == all.count)
  }

  @Test func uniformIsUniform() {
    var random = RandomStream(seed: 7, stream: 0)
    var counts = [Int](repeating: 0, count: 16)
    let draws = 160_000
    for _ in 0..<draws {
      let value = random.uniform()
      #expect(value >= 0 && value < 1)
      counts[Int(value * 16)] += 1
    }
    let expected = Double(draws) / 16
    let square = counts.reduce(0) { $0 + (Double($1) - expected) * (Double($1) - expected) / expected }
    // χ² with 15 degrees of freedom exceeds 45 once in 13,000 seeds.
    #expect(square < 45)
  }

  @Test func normalIsNormal() {
    var random = RandomStream(seed: 7, stream: 1)
    var values: [Double] = []
    for _ in 0..<50_000 {
      let (a, b) = random.normalPair()
      values += [Double(a), Double(b)]
    }
    func moment(_ power: Int) -> Double {
      values.reduce(0) { total, x in total + (0..<power).reduce(1) { product, _ in product * x } }
        / Double(values.count)
    }
    // The bounds are five standard deviations of each estimate from 100,000 numbers.
    #expect(abs(moment(1)) < 0.016)
    #expect(abs(moment(2) - 1) < 0.023)
    #expect(abs(moment(3)) < 0.062)
    #expect(abs(moment(4) - 3) < 0.155)
    let pairs = zip(values, values.dropFirst()).reduce(0) { $0 + $1.0 * $1.1 } / Double(values.count)
    #expect(abs(pairs) < 0.016)
  }
}
