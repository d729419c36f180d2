import CKernels
import TestSupport
import Testing

@testable import Engine

/// Products of rows with weights in int8, compared with the definition of their rounding.
@Suite(.serialized) struct Int8ProductTests {
  static let shapes = [
    (1, 8, 1), (5, 17, 3), (16, 48, 32), (9, 65, 33), (130, 100, 65), (40, 3100, 7), (300, 50, 1600),
    (3, 20, 8301),
  ]

  /// Runs `body` on a backend of every kernel set.
  private static func forEach(_ body: (CPUBackend) throws -> Void) throws {
    for kernels in KernelSets.multiplying {
      let backend = try CPUBackend(threads: 2, kernels: kernels, precision: .int8)
      Backends.poison(backend)
      try body(backend)
    }
  }

  /// Makes a layer's weight in a store of its own.
  private static func weight(_ matrix: Matrix, on backend: CPUBackend) -> Parameter {
    let store = ParameterStore(backend: backend)
    let weight = store.add("weight", [matrix.rows, matrix.columns], .constant(0))
    store.set(weight, to: matrix.floats)
    stores.append(store)
    return weight
  }
  /// The weights' stores, which parameters do not keep.
  nonisolated(unsafe) private static var stores: [ParameterStore] = []

  /// Returns a row in int8 and its scale.
  private static func rounded(_ row: ArraySlice<Double>) -> (bytes: [Int], scale: Float) {
    let values = row.map { Float($0) }
    let largest = values.reduce(0) { max($0, abs($1)) }
    guard largest > 0 else { return (values.map { _ in 0 }, 0) }
    return (values.map { Int(($0 * (127 / largest)).rounded(.toNearestOrEven)) }, largest / 127)
  }

  /// Every kernel set gives the bits of the definition.
  ///
  /// They differ from the exact product by no more than half a step of each factor comes to.
  @Test(arguments: shapes) func sumsAreExact(m: Int, n: Int, k: Int) throws {
    let (x, w) = (Matrix.random(m, k, seed: 1), Matrix.random(n, k, seed: 2))
    let bias = Matrix.random(1, n, seed: 3)
    let rows = (0..<m).map { Self.rounded(x.values[$0 * k..<($0 + 1) * k]) }
    let columns = (0..<n).map { Self.rounded(w.values[$0 * k..<($0 + 1) * k]) }
    var (expected, isNear) = ([Float](), true)
    for i in 0..<m {
      for j in 0..<n {
        var (sum, exact, bound) = (0, bias[0, j], 0.0)
        let (a, b) = (Double(rows[i].scale) / 2, Double(columns[j].scale) / 2)
        for l in 0..<k {
          sum += rows[i].bytes[l] * columns[j].bytes[l]
          exact += x[i, l] * w[j, l]
          bound += a * abs(w[j, l]) + b * abs(x[i, l]) + a * b
        }
        let scaled = Float(sum) * (rows[i].scale * columns[j].scale)
        expected.append(scaled + bias.floats[j])
        // The bound allows six more roundings to float32.
        bound += (Double(abs(scaled)) + abs(bias[0, j])) * 6 * 0x1p-24
        // A factor half way between two steps may round either way, since its scale is a float32.
        if abs(Double(expected[expected.count - 1]) - exact) > bound * (1 + 0x1p-14) { isNear = false }
      }
    }
    #expect(isNear)
    try Self.forEach { backend in
      let weight = Self.weight(w, on: backend)
      defer { Self.stores.removeAll() }
      let given = leaf(bias, on: backend)
      for type in [ElementType.float32, .bfloat16] {
        let out = Tensor(rows: m, columns: n, storage: backend.makeStorage(count: m * n, type: type))
        backend.run(Product(leaf(x, on: backend), weight: weight.tensor, bias: given, out: out))
        let wanted = type == .float32 ? expected : expected.map { BFloat16.float(BFloat16.bits($0)) }
        #expect(backend.values(of: out) == wanted, "\(backend.summary) \(type)")
      }
      // Rows of bfloat16 give the same as float32 rows of equal values.
      let out = (0..<2).map { _ in backend.makeTensor(rows: m, columns: n) }
      backend.run(Product(leaf(x, type: .bfloat16, on: backend), weight: weight.tensor, out: out[0]))
      backend.run(Product(leaf(x.asBF16, on: backend), weight: weight.tensor, out: out[1]))
      #expect(backend.values(of: out[0]) == backend.values(of: out[1]))
    }
  }

  /// A product has the same bits with any number of threads.
  @Test func threadsDoNotMatter() throws {
    for (m, n, k) in [(300, 200, 1700), (40, 3100, 64), (7, 900, 130)] {
      let (x, w) = (Matrix.random(m, k, seed: 1), Matrix.random(n, k, seed: 2))
      let results = try [1, 2, 3, 8].map { threads in
        let backend = try CPUBackend(threads: threads, emulating: .int8)
        let weight = Self.weight(w, on: backend)
        defer { Self.stores.removeAll() }
        let out = backend.makeTensor(rows: m, columns: n)
        backend.run(
          Product(leaf(x, on: backend), weight: weight.tensor, activation: .gelu, out: out))
        return backend.values(of: out)
      }
      #expect(Set(results).count == 1)
    }
  }

  /// A row of zeros gives the bias, and an infinity or a NaN shows and stays in its row or column.
  @Test func whatIsNotFiniteStays() throws {
    var (x, w) = (Matrix.random(20, 70, seed: 1), Matrix.random(20, 70, seed: 2))
    for l in 0..<70 { x[0, l] = 0 }
    (x[3, 69], x[17, 5], w[2, 68]) = (.nan, -.infinity, .nan)
    let bias = Matrix.random(1, 20, seed: 3)
    try Self.forEach { backend in
      let weight = Self.weight(w, on: backend)
      defer { Self.stores.removeAll() }
      let out = backend.makeTensor(rows: 20, columns: 20)
      backend.run(
        Product(leaf(x, on: backend), weight: weight.tensor, bias: leaf(bias, on: backend), out: out))
      let values = backend.values(of: out)
      for i in 0..<20 {
        for j in 0..<20 {
          let value = values[20 * i + j]
          #expect(value.isNaN == ([3, 17].contains(i) || j == 2), "\(i) \(j)")
          if i == 0, j != 2 { #expect(value == bias.floats[j]) }
        }
      }
    }
  }

  /// Weights kept in int8 follow every change of the weights.
  @Test func keptWeightsFollowTheirChanges() throws {
    let backend = try CPUBackend(threads: 2, emulating: .int8)
    let weight = Self.weight(.random(70, 40, seed: 4), on: backend)
    defer { Self.stores.removeAll() }
    let x = leaf(.random(50, 40, seed: 1), on: backend)
    func product(_ weight: Parameter) -> [Float] {
      let out = backend.makeTensor(rows: 50, columns: 70)
      backend.run(Product(x, weight: weight.tensor, out: out))
      return backend.values(of: out)
    }
    var earlier: [Float] = []
    func check(_ change: String) {
      let now = Matrix(rows: 70, columns: 40) {
        Double(backend.values(of: weight.tensor)[40 * $0 + $1])
      }
      let expected = product(Self.weight(now, on: backend))
      for _ in 0..<2 { #expect(product(weight) == expected, "after \(change)") }
      #expect(expected != earlier, "after \(change)")
      earlier = expected
    }
    check("the start")
    weight.store.set(weight, to: Matrix.random(70, 40, seed: 5).floats)
    check("an upload")
    backend.run(Scale(weight.tensor, by: 2))
    check("scaling")
    backend.run(Fill(weight.tensor, with: 3))
    check("filling")
  }

  /// Scores and a prediction's few columns are computed as in bf16.
  @Test func onlyLayersAreRounded() throws {
    let x = Matrix.random(40, 64, seed: 1)
    let results = try [Precision.bf16, .int8].map { precision in
      let backend = try CPUBackend(threads: 2, emulating: precision)
      let tape = Tape.inference(backend)
      let rows = leaf(x, on: backend)
      let parameters = [2, 64].map { Self.weight(.random($0, 64, seed: 2), on: backend) }
      defer { Self.stores.removeAll() }
      return [
        tape.linear(rows, leaf(.random(50, 64, seed: 3), on: backend)),
        tape.linear(rows, parameters[0].tensor), tape.linear(rows, parameters[1].tensor),
      ].map { backend.values(of: $0) }
    }
    #expect(results[0][0] == results[1][0] && results[0][1] == results[1][1])
    #expect(results[0][2] != results[1][2])
  }

  @Test func aGPURefusesIt() {
    let error = #expect(throws: EngineError.self) { try TestGPU.open(.int8) }
    #expect(error?.description.contains("int8 is the CPU's") == true)
  }
}
