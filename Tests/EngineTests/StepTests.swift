import CUDAEmulation
import TestSupport
import Testing

@testable import Engine

/// Sequences that grow by one row in each step, and steps that are repeated.
@Suite(.serialized) struct StepTests {
  /// Attention step by step equals causal attention over whole sequences, and reads no other rows
  /// of the cache.
  @Test(arguments: [(2, 10), (1, 100), (3, 64), (2, 7)])
  func stepsAreACausalAttention(heads: Int, head: Int) throws {
    let (sequences, steps, width) = (3, 40, heads * head)
    let x = Matrix.random(sequences * steps, 3 * width, seed: 1)
    let lengths = [Int](repeating: steps, count: sequences)
    let expected = Referee.attention(
      x, x,
      .init(
        width: width, heads: heads, queryLengths: lengths, keyLengths: lengths, keyColumn: width,
        valueColumn: 2 * width, causal: true))
    func check(_ backend: any Backend, within tolerance: Double) {
      let (tape, capacity, type) = (Tape.inference(backend), steps + 2, backend.precision.activations)
      let cache = backend.makeTensor(rows: sequences * capacity, columns: 2 * width, type: type)
      backend.run(Fill(cache, with: .nan))
      let numbers = (0..<4).map { _ in backend.makeIndices(count: sequences) }
      let (places, counters, words) = (numbers[0], numbers[1], numbers[2])
      let log = backend.makeIndices(count: sequences * capacity)
      func set(_ indices: Indices, _ values: [Int]) {
        values.map { Int32($0) }.withUnsafeBufferPointer { backend.upload($0, to: indices) }
      }
      set(places, (0..<sequences).map { $0 * capacity })
      set(counters, [5, 6, 7])
      for step in 0..<steps {
        let own = Matrix(rows: sequences, columns: 3 * width) { x[$0 * steps + step, $1] }
        let out = backend.values(
          of: tape.stepAttention(
            leaf(own, type: type, on: backend), cache: cache, places: places, heads: heads))
        for sequence in 0..<sequences {
          for column in 0..<width {
            let difference =
              Double(out[sequence * width + column]) - expected[sequence * steps + step, column]
            #expect(abs(difference) <= tolerance, "step \(step), column \(column)")
          }
        }
        set(words, (0..<sequences).map { 100 * step + $0 })
        backend.run(AppendNumbers(words, to: log, places: places, counters: counters))
      }
      #expect(backend.values(of: counters) == [45, 46, 47])
      #expect(backend.values(of: places) == (0..<3).map { Int32($0 * capacity + steps) })
      let kept = backend.values(of: log)
      for sequence in 0..<sequences {
        let own = kept[sequence * capacity..<sequence * capacity + steps]
        #expect(Array(own) == (0..<steps).map { Int32(100 * $0 + sequence) })
      }
    }
    try Backends.forEach { check($0, within: 1e-5) }
    // Rows, sums of probabilities and results up to 4 are rounded by up to 0.4 %.
    try Backends.forEachBF16 { check($0, within: 0.05) }
    check(try TestGPU.open(.bf16), within: 0.05)
  }

  /// A repetition's own tensors share no memory with others, and every run reads the current
  /// values.
  @Test func repetitionsAreWhatTheyRepeat() throws {
    try Backends.forEach { backend in
      let x = backend.makeTensor([1, 2, 3], rows: 1, columns: 3)
      let y = backend.makeTensor([0, 0, 0], rows: 1, columns: 3)
      let repetition = backend.repetition {
        let twice = backend.makeTensor(rows: 1, columns: 3)
        backend.run(Copy(x, to: twice))
        backend.run(Scale(twice, by: 2))
        backend.run(Add(twice, to: y))
      }
      var others: [Tensor] = []
      for _ in 0..<5 {
        repetition.run()
        others.append(backend.makeTensor([9, 9, 9], rows: 1, columns: 3))
      }
      backend.run(Scale(x, by: 10))
      repetition.run()
      #expect(backend.values(of: y) == [30, 60, 90])
      for other in others { #expect(backend.values(of: other) == [9, 9, 9]) }
    }
  }

  /// Every run counts its products, and from the second run on it starts only a graph.
  @Test func graphsAreStartedAsOne() throws {
    let backend = try TestGPU.open()
    let (x, weight) = (leaf(.random(4, 6, seed: 1), on: backend), leaf(.random(8, 6, seed: 2), on: backend))
    let tape = Tape.inference(backend)
    let repetition = backend.repetition { _ = tape.linear(x, weight) }
    for _ in 0..<2 { repetition.run() }
    let (before, operations) = (hero_cuda_emulation_count(), backend.operations)
    for _ in 0..<3 { repetition.run() }
    let after = hero_cuda_emulation_count()
    let wanted: Int = 3 * (2 * 4 * 6 * 8)
    #expect(backend.operations - operations == wanted)
    #expect(!TestGPU.isEmulated || (after.launches == before.launches && after.graphs == before.graphs + 3))
  }

  /// Loading threads may upload while graphs are recorded.
  @Test func uploadsWhileGraphsAreRecorded() async throws {
    let backend = try TestGPU.open()
    let x = backend.makeTensor([1], rows: 1, columns: 1)
    let uploads = await withTaskGroup(of: [Indices].self) { group in
      for task in 0..<3 {
        group.addTask {
          (0..<20).map { turn in
            let count = turn % 2 == 0 ? 10 : 20_000
            return backend.makeIndices([Int32](repeating: Int32(100 * task + turn), count: count))
          }
        }
      }
      for _ in 0..<30 {
        let repetition = backend.repetition { backend.run(Add(x, to: x)) }
        for _ in 0..<3 { repetition.run() }
        backend.run(Fill(x, with: 1))
        repetition.run()
      }
      return await group.reduce(into: [[Indices]]()) { $0.append($1) }
    }
    #expect(backend.values(of: x) == [2])
    for (turn, indices) in uploads.flatMap({ $0.enumerated() }) {
      let values = backend.values(of: indices)
      #expect(values.allSatisfy { $0 == values[0] } && Int(values[0]) % 100 == turn)
    }
  }
}
