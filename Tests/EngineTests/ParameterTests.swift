import TestSupport
import Testing

@testable import Engine

@Suite(.serialized) struct ParameterTests {
  private func stack(_ parts: [Matrix]) -> Matrix {
    Matrix(rows: parts.reduce(0) { $0 + $1.rows }, columns: parts[0].columns) { r, c in
      var row = r
      for part in parts {
        if row < part.rows { return part[row, c] }
        row -= part.rows
      }
      return .nan
    }
  }

  /// Gradients add up where q, k and v are used as one matrix and one of them alone, over two
  /// tapes.
  @Test func gradientsOfStackedAndSharedParameters() throws {
    let parts = (0..<3).map { Matrix.random(8, 20, scale: 0.5, seed: UInt64($0)) }
    let biases = (0..<3).map { Matrix.random(1, 8, seed: UInt64(10 + $0)) }
    let x = Matrix.random(15, 20, seed: 5)
    try Backends.forEach { backend in
      let store = ParameterStore(backend: backend)
      let weights = ["q", "k", "v"].map { store.add("\($0).weight", [8, 20], .constant(0)) }
      let shifts = ["q", "k", "v"].map { store.add("\($0).bias", [8], .constant(0)) }
      for group in [weights, shifts] { store.join(group) }
      let untouched = store.add("other", [3, 1, 5], .constant(7))
      store.initialize(seed: 1)
      zip(weights + shifts, parts + biases).forEach { store.set($0, to: $1.floats) }
      #expect(backend.values(of: store.stack(weights)) == stack(parts).floats)
      #expect((store.stack(shifts).rows, store.stack(shifts).columns) == (1, 24))
      #expect((untouched.tensor.rows, untouched.tensor.columns) == (3, 5))
      #expect(untouched.gradient == nil && store.gradientRanges.isEmpty)

      for part in 0..<2 {
        // The middle one's gradient comes first, so its neighbours' places are unset when the whole
        // arrives.
        let tape = Tape.training(backend, seed: 1, step: 1, part: UInt32(part))
        let input = leaf(x, on: backend)
        let all = tape.linear(input, store.stack(weights), store.stack(shifts))
        let one = tape.linear(input, weights[1].tensor, shifts[1].tensor)
        tape.customLoss([all, one]) { values in values }
        tape.backward()
      }
      // The loss is half the sum of squares of both, twice: dW = Σ 2·yᵀx, and twice that for the
      // middle.
      for (i, (weight, bias)) in paired(parts, biases).enumerated() {
        let y = Referee.linear(x, weight, bias, .none)
        let times = i == 1 ? 4.0 : 2.0
        let dWeight = Matrix(rows: 8, columns: 20) { m, k in
          (0..<15).reduce(0) { $0 + times * y[$1, m] * x[$1, k] }
        }
        let dBias = Matrix(rows: 1, columns: 8) { _, m in (0..<15).reduce(0) { $0 + times * y[$1, m] } }
        expectNear(weights[i].gradient, dWeight, backend)
        expectNear(shifts[i].gradient, dBias, backend)
      }
      #expect(untouched.gradient == nil)
      #expect(store.gradientRanges == [0..<(3 * 8 * 21)])
      let norm = (weights + shifts).flatMap { $0.gradient.map { backend.values(of: $0) } ?? [] }
        .reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
      #expect(abs(store.gradientNorm() - norm) <= 1e-6 * norm)
      store.clearGradients()
      #expect(weights[0].gradient == nil && store.gradientNorm() == 0)
    }
  }

  private func expectNear(_ tensor: Tensor?, _ expected: Matrix, _ backend: any Backend) {
    let values = tensor.map { backend.values(of: $0) } ?? []
    #expect(values.count == expected.count)
    for (value, wanted) in paired(values, expected.values) {
      #expect(abs(Double(value) - wanted) <= 1e-5 * expected.magnitude, "\(backend.summary)")
    }
  }

  /// A word embedding that is also the decoder's weight gets the gradients of both uses.
  @Test func tiedEmbedding() throws {
    try Backends.forEach { backend in
      let store = ParameterStore(backend: backend)
      let table = store.add("word", [3, 2], .constant(0))
      store.set(table, to: [1, 2, 3, 4, 5, 6])
      let tape = Tape.training(backend, seed: 1, step: 1)
      let row = tape.gather(table.tensor, tape.backend.makeIndices([2]))
      tape.customLoss([tape.linear(row, table.tensor)]) { _ in [[1, 10, 100]] }
      tape.backward()
      // Σ g·w to the row that was read, g·row to every row.
      let back: [Float] = [1 + 30 + 500, 2 + 40 + 600]
      #expect(
        table.gradient.map { backend.values(of: $0) } == [5, 6, 50, 60, 500 + back[0], 600 + back[1]])
    }
  }

  @Test func initializers() throws {
    let backend = try CPUBackend(threads: 1)
    let store = ParameterStore(backend: backend)
    let constant = store.add("gamma", [70], .constant(1))
    let normal = store.add("weight", [200, 101], .normal(deviation: 0.02))
    let other = store.add("other", [200, 101], .normal(deviation: 0.02))
    store.initialize(seed: 5)
    #expect(store.values(of: constant) == [Float](repeating: 1, count: 70))
    let values = store.values(of: normal).map { Double($0) / 0.02 }
    let mean = values.reduce(0, +) / Double(values.count)
    let variance = values.reduce(0) { $0 + $1 * $1 } / Double(values.count)
    let fourth = values.reduce(0) { $0 + $1 * $1 * $1 * $1 } / Double(values.count)
    // The bounds are five standard deviations of each estimate.
    let root = Double(values.count).squareRoot()
    #expect(abs(mean) < 5 / root && abs(variance - 1) < 5 * 2.0.squareRoot() / root)
    #expect(abs(fourth - 3) < 5 * 96.0.squareRoot() / root)
    #expect(store.values(of: normal) != store.values(of: other))
    let first = store.values(of: normal)
    store.initialize(seed: 6)
    #expect(store.values(of: normal) != first)
    store.initialize(seed: 5)
    #expect(store.values(of: normal) == first)
    #expect(store["weight"] === normal && store["missing"] == nil)
  }

  /// A store and its backend are freed when nobody uses them.
  @Test func nothingIsKeptAlive() throws {
    weak var store: ParameterStore?
    weak var parameter: Parameter?
    weak var backend: CPUBackend?
    weak var storage: Storage?
    do {
      let own = try CPUBackend(threads: 2)
      let parameters = ParameterStore(backend: own)
      let weight = parameters.add("weight", [4, 4], .constant(1))
      parameters.initialize(seed: 1)
      let tape = Tape.training(own, seed: 1, step: 1)
      let hidden = tape.linear(weight.tensor, weight.tensor, activation: .gelu)
      tape.customLoss([tape.layerNorm(hidden, weight.tensor.row, weight.tensor.row, epsilon: 1)]) { $0 }
      (store, parameter, backend, storage) = (parameters, weight, own, parameters.values.storage)
    }
    #expect(store == nil && parameter == nil && backend == nil && storage == nil)
  }
}

extension Tensor {
  /// The first row, as a vector.
  fileprivate var row: Tensor { rowsView(0..<1) }
}
