import TestSupport
import Testing

@testable import Engine

@Suite(.serialized) struct AttentionTests {
  /// Lengths around every multiple of the vectors' 16 lanes, and 0.
  static let lengths = [1, 2, 0, 5, 15, 16, 17, 33, 70, 4]

  /// Self-attention reads q, k and v from one product.
  @Test(arguments: [8, 16, 20, 64], [false, true])
  func selfAttention(head: Int, causal: Bool) throws {
    try run(head: head, heads: head == 64 ? 1 : 2, Self.lengths, causal: causal)
  }

  @Test(arguments: [8, 16, 20])
  func droppedProbabilities(head: Int) throws {
    try run(head: head, heads: 2, Self.lengths, dropout: 0.3)
  }

  @Test func droppedCausally() throws { try run(head: 16, heads: 3, [3, 40, 1], causal: true, dropout: 0.1) }

  /// A sequence may have more keys than a vector of counters has random numbers for.
  @Test func longSequence() throws { try run(head: 4, heads: 1, [150, 3], dropout: 0.2) }

  /// A batch may mix lengths around every multiple of a warp's 16 rows, up to the 64 that a GPU's
  /// block holds whole, and longer ones.
  @Test(arguments: [7, 64]) func shortAndLong(head: Int) throws {
    try run(head: head, heads: 1, [1, 65, 16, 17, 64, 32, 33, 48], dropout: 0.25)
  }

  @Test func everyLength() throws { try run(head: 8, heads: 1, Array(1...34)) }

  private func run(
    head: Int, heads: Int, _ lengths: [Int], causal: Bool = false, dropout: Float = 0
  ) throws {
    let width = head * heads
    let shape = Referee.AttentionShape(
      width: width, heads: heads, queryLengths: lengths, keyLengths: lengths, keyColumn: width,
      valueColumn: 2 * width, causal: causal, dropout: dropout)
    let segments = Segments(lengths: lengths)
    try OperationCheck([.random(segments.rows, 3 * width, seed: 1)]) { tape, t in
      tape.attention(
        queries: t[0], keysValues: t[0], keyColumn: width, valueColumn: 2 * width, width: width, heads: heads,
        querySegments: segments.on(tape.backend), keySegments: segments.on(tape.backend), causal: causal,
        dropout: dropout)
    } referee: { m in
      Referee.attention(m[0], m[0], shape)
    }.run()
  }

  /// Checks two heads with queries and keys of different lengths.
  private func checkCross(head: Int, queries: [Int], keys: [Int], dropout: Float) throws {
    let width = 2 * head
    let shape = Referee.AttentionShape(
      width: width, heads: 2, queryLengths: queries, keyLengths: keys, keyColumn: 0, valueColumn: width,
      dropout: dropout)
    let (querySegments, keySegments) = (Segments(lengths: queries), Segments(lengths: keys))
    try OperationCheck([
      .random(querySegments.rows, width, seed: 1), .random(keySegments.rows, 2 * width, seed: 2),
    ]) { tape, t in
      tape.attention(
        queries: t[0], keysValues: t[1], keyColumn: 0, valueColumn: width, width: width, heads: 2,
        querySegments: querySegments.on(tape.backend), keySegments: keySegments.on(tape.backend),
        dropout: dropout)
    } referee: { m in
      Referee.attention(m[0], m[1], shape)
    }.run()
  }

  /// Sequences may be empty on one side or both.
  @Test(arguments: [8, 16, 20, 64], [Float(0), 0.25])
  func crossAttention(head: Int, dropout: Float) throws {
    try checkCross(
      head: head, queries: [3, 0, 5, 1, 20, 0, 2], keys: [7, 4, 0, 40, 17, 0, 1], dropout: dropout)
  }

  /// A sequence may be long in its queries alone or in its keys alone.
  @Test func oneLongSide() throws {
    try checkCross(head: 8, queries: [3, 66, 64, 0, 70], keys: [70, 4, 64, 65, 0], dropout: 0.1)
  }

  /// Key ranges may overlap, leave gaps and come in any order.
  ///
  /// Beams share a memory, and caches have room to grow.
  @Test func anyKeyRanges() throws {
    let (width, ranges, lengths) = (40, [10..<15, 0..<12, 10..<15, 30..<30, 20..<41], [1, 2, 4, 1, 3])
    let (queries, keysValues) = (Matrix.random(11, width, seed: 1), Matrix.random(45, 2 * width, seed: 2))
    // The referee gets each sequence's keys as a copy.
    let rows = ranges.flatMap { Array($0) }
    let expected = Referee.attention(
      queries, Matrix(rows: rows.count, columns: 2 * width) { keysValues[rows[$0], $1] },
      Referee.AttentionShape(
        width: width, heads: 2, queryLengths: lengths, keyLengths: ranges.map(\.count), keyColumn: 0,
        valueColumn: width))
    try Backends.forEach { backend in
      let out = Tape.inference(backend).attention(
        queries: leaf(queries, on: backend), keysValues: leaf(keysValues, on: backend), keyColumn: 0,
        valueColumn: width, width: width, heads: 2,
        querySegments: Segments(lengths: lengths, on: backend), keyRanges: RowRanges(ranges, on: backend),
        dropout: 0.5)
      for (value, wanted) in paired(backend.values(of: out), expected.values) {
        #expect(abs(Double(value) - wanted) <= 1e-5 * expected.magnitude, "\(backend.summary)")
      }
    }
  }

  /// A sequence's result and gradient do not depend on what else is in the batch.
  @Test func independentOfTheBatch() throws {
    let (width, lengths) = (32, [5, 30, 17])
    let x = Matrix.random(lengths.reduce(0, +), 3 * width, seed: 3)
    try Backends.forEach { backend in
      let together = attend(x, lengths, width, backend)
      var start = 0
      for length in lengths {
        let range = start * 3 * width..<(start + length) * 3 * width
        var alone = Matrix(rows: length, columns: 3 * width)
        alone.values = Array(x.values[range])
        let (out, gradient) = attend(alone, [length], width, backend)
        #expect(out == Array(together.out[start * width..<(start + length) * width]))
        #expect(gradient == Array(together.gradient[range]))
        start += length
      }
    }
  }

  private func attend(
    _ x: Matrix, _ lengths: [Int], _ width: Int, _ backend: any Backend
  ) -> (out: [Float], gradient: [Float]) {
    let tape = Tape.training(backend, seed: 1, step: 1)
    let input = leaf(x, on: backend)
    let segments = Segments(lengths: lengths)
    let out = tape.attention(
      queries: input, keysValues: input, keyColumn: width, valueColumn: 2 * width, width: width, heads: 2,
      querySegments: segments.on(tape.backend), keySegments: segments.on(tape.backend), dropout: 0)
    let values = backend.values(of: out)
    // The gradient of half the sum of squares.
    tape.customLoss([out]) { $0 }
    tape.backward()
    return (values, input.gradient.map { backend.values(of: $0) } ?? [])
  }

  /// With scores that differ by thousands the softmax is one-hot, and nothing overflows.
  @Test func hugeScores() throws {
    let (width, length) = (16, 20)
    let shape = Referee.AttentionShape(
      width: width, heads: 1, queryLengths: [length], keyLengths: [length], keyColumn: width,
      valueColumn: 2 * width)
    let segments = Segments(lengths: [length])
    var check = OperationCheck([.random(length, 3 * width, scale: 30, seed: 1)]) { tape, t in
      tape.attention(
        queries: t[0], keysValues: t[0], keyColumn: width, valueColumn: 2 * width, width: width, heads: 1,
        querySegments: segments.on(tape.backend), keySegments: segments.on(tape.backend), dropout: 0)
    } referee: { m in
      Referee.attention(m[0], m[0], shape)
    }
    // A score of some thousands has a rounding error of 1e-4, which is the relative error of its
    // exponential.
    check.forwardTolerance = 1e-3
    check.gradientTolerance = 1e-2
    try check.run()
  }
}
