import CKernels
import TestSupport
import Testing

@testable import Engine

/// Products in bfloat16 against double precision, in all shapes that their blocks and stretches can
/// take.
@Suite(.serialized) struct BF16ProductTests {
  struct Shape: CustomTestStringConvertible {
    var m: Int
    var n: Int
    var k: Int
    var testDescription: String { "\(m) x \(n) x \(k)" }
  }

  static let shapes = [
    Shape(m: 1, n: 1, k: 1), Shape(m: 5, n: 17, k: 3), Shape(m: 16, n: 48, k: 32), Shape(m: 9, n: 65, k: 33),
    Shape(m: 130, n: 100, k: 65), Shape(m: 40, n: 3100, k: 7), Shape(m: 20, n: 50, k: 1600),
    Shape(m: 140, n: 60, k: 2051), Shape(m: 3, n: 20, k: 8301), Shape(m: 4, n: 6, k: 0),
  ]

  /// Whole numbers, of which bfloat16 and sums in float32 lose nothing.
  private static func numbers(_ rows: Int, _ columns: Int, seed: UInt64) -> Matrix {
    var random = TestRandom(seed: seed)
    return Matrix(rows: rows, columns: columns) { _, _ in Double(Int.random(in: -8...8, using: &random)) }
  }

  private static func tensor(_ matrix: Matrix, _ type: ElementType, on backend: CPUBackend) -> Tensor {
    leaf(matrix, type: type, on: backend)
  }

  @Test(arguments: shapes) func sumsAreExact(shape: Shape) throws {
    let (m, n, k) = (shape.m, shape.n, shape.k)
    let (left, right) = (Self.numbers(m, k, seed: 1), Self.numbers(n, k, seed: 2))
    let before = Self.numbers(m, n, seed: 3)
    var expected = before
    for i in 0..<m {
      for j in 0..<n {
        for l in 0..<k { expected[i, j] += left[i, l] * right[j, l] }
      }
    }
    let turned = { (x: Matrix) in Matrix(rows: x.columns, columns: x.rows) { x[$1, $0] } }
    try Backends.forEachBF16 { backend in
      for type in [ElementType.float32, .bfloat16] {
        for (acrossLeft, acrossRight) in [(false, false), (false, true), (true, true)] {
          let out = Self.tensor(before, .float32, on: backend)
          let factors = [(left, acrossLeft), (right, acrossRight)].map { matrix, isAcross in
            BF16Factor(
              tensor: Self.tensor(isAcross ? turned(matrix) : matrix, type, on: backend), isAcross: isAcross)
          }
          backend.bf16Product(
            factors[0], factors[1], m: m, n: n, k: k, ProductResult(out: out, accumulate: true))
          #expect(
            backend.values(of: out) == expected.floats,
            "\(backend.summary) \(type) \(acrossLeft) \(acrossRight)")
        }
      }
    }
  }

  /// The same bits for any number of threads.
  @Test func threadsDoNotMatter() throws {
    for (m, n, k) in [(300, 200, 1700), (40, 3100, 64), (7, 900, 130)] {
      let (x, w) = (Matrix.random(m, k, seed: 1), Matrix.random(n, k, seed: 2))
      let results = try [1, 2, 3, 8].map { threads in
        let backend = try CPUBackend(threads: threads, emulating: .bf16)
        let out = backend.makeTensor(rows: m, columns: n)
        backend.run(Product(leaf(x, on: backend), weight: leaf(w, on: backend), out: out))
        return backend.values(of: out)
      }
      #expect(Set(results).count == 1)
    }
  }

  /// Weights that a few rows are multiplied with stay packed until they change, in whatever way.
  @Test func keptWeightsFollowTheirChanges() throws {
    let backend = try CPUBackend(threads: 2, emulating: .bf16)
    let store = ParameterStore(backend: backend)
    let weight = store.add("weight", [70, 40], .normal(deviation: 1))
    store.initialize(seed: 1)
    let x = leaf(.random(8, 40, seed: 1), on: backend)
    func product(_ weight: Tensor) -> [Float] {
      let out = backend.makeTensor(rows: 8, columns: 70)
      backend.run(Product(x, weight: weight, out: out))
      return backend.values(of: out)
    }
    func check(_ change: String) {
      let plain = leaf(Matrix(rows: 70, columns: 40) { _, _ in 0 }, on: backend)
      backend.run(Copy(weight.tensor, to: plain))
      let expected = product(plain)
      for _ in 0..<3 { #expect(product(weight.tensor) == expected, "after \(change)") }
    }
    check("the start")
    store.set(weight, to: Matrix.random(70, 40, seed: 5).floats)
    check("an upload")
    backend.run(Scale(weight.tensor, by: 2))
    check("scaling")
    backend.run(Add(leaf(.random(70, 40, seed: 6), on: backend), to: weight.tensor))
    check("an addition")
    let optimizer = Optimizer(.adamw, store: store, betas: (0.9, 0.98), weightDecay: { _ in 0 })
    store.clearGradients()
    let tape = Tape.training(backend, seed: 1, step: 0)
    let out = tape.linear(x, weight.tensor)
    tape.customLoss([out]) { _ in [Matrix.random(8, 70, seed: 7).floats] }
    tape.backward()
    optimizer.step(learningRate: 0.1)
    check("an update")
    backend.run(Fill(weight.tensor, with: 3))
    check("filling")
  }
}

/// Conversions between float32 and bfloat16.
struct BF16ValueTests {
  /// To the nearest, of two to the even one; infinities and NaN stay what they are.
  @Test func rounding() throws {
    var values: [Float] = [
      0, -0.0, 1, 1.00390625, 1.01171875, -1.00390625, .infinity, -.infinity, 3.4e38, 1e-30,
    ]
    var random = TestRandom(seed: 1)
    values += (0..<1000).map { _ in Float(random.normal()) * 100 }
    for kernels in KernelSets.all {
      var halves = [hero_bf16](repeating: hero_bf16(bits: 0), count: values.count)
      kernels.narrow(&halves, values, values.count)
      #expect(halves.map(\.bits) == values.map { BFloat16.bits($0) })
      var back = [Float](repeating: .nan, count: values.count)
      kernels.widen(&back, halves, halves.count)
      #expect(back == halves.map { BFloat16.float($0.bits) })
      kernels.narrow(&halves, [.nan, -.nan], 2)
      #expect(BFloat16.float(halves[0].bits).isNaN && BFloat16.float(halves[1].bits).isNaN)
    }
  }

  /// What is dropped does not depend on the type.
  @Test func dropoutDropsTheSame() throws {
    try Backends.forEachBF16 { backend in
      let results = [ElementType.float32, .bfloat16].map { type in
        let tape = Tape.training(backend, seed: 5, step: 2)
        return backend.values(of: tape.dropoutFactors(37, 150, probability: 0.3, type: type)).map { $0 == 0 }
      }
      #expect(results[0] == results[1] && results[0].contains(true))
    }
  }

  /// Sums, copies and factors between the types.
  @Test(arguments: [1, 17, 5000]) func mixtures(count: Int) throws {
    let (x, y) = (Matrix.random(2, count, seed: 1).asBF16, Matrix.random(2, count, seed: 2).asBF16)
    let sum = Matrix(rows: 2, columns: count) { x[$0, $1] + y[$0, $1] }
    try Backends.forEachBF16 { backend in
      for (from, to) in [
        (ElementType.float32, ElementType.bfloat16), (.bfloat16, .float32), (.bfloat16, .bfloat16),
      ] {
        let (source, target) = (leaf(x, type: from, on: backend), leaf(y, type: to, on: backend))
        backend.run(Add(source, to: target))
        #expect(backend.values(of: target) == (to == .bfloat16 ? sum.asBF16 : sum).floats)
        backend.run(Copy(source, to: target))
        backend.run(Scale(target, by: -2))
        #expect(backend.values(of: target) == x.floats.map { -2 * $0 })
        backend.run(Fill(target, with: 1.5))
        #expect(backend.values(of: target) == [Float](repeating: 1.5, count: 2 * count))
      }
    }
  }
}

/// Which precisions the processor is opened with.
struct CPUPrecisionTests {
  @Test func tf32IsRefused() {
    let error = #expect(throws: EngineError.self) { try Device.open("cpu", precision: .tf32) }
    #expect(error?.description.contains("fp32 or bf16") == true)
  }

  @Test func theFastestIsChosen() throws {
    let multiplies = hero_kernels_best().pointee.multiplies_bf16
    #expect(try Device.open("cpu", precision: nil).precision == (multiplies ? .bf16 : .fp32))
    if multiplies {
      #expect(try Device.open("cpu", precision: .bf16).summary.contains("bf16"))
    } else {
      let error = #expect(throws: EngineError.self) { try Device.open("cpu", precision: .bf16) }
      #expect(error?.description.contains("--precision auto") == true)
    }
  }
}
