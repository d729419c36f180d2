import CKernels
import TestSupport
import Testing

@testable import Engine

/// Products of packed factors against double precision, in all shapes that their blocks and
/// stretches can take.
@Suite(.serialized) struct PackedProductTests {
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

  /// Returns whole numbers, which bfloat16 and sums in float32 hold exactly.
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
            PackedFactor(
              tensor: Self.tensor(isAcross ? turned(matrix) : matrix, type, on: backend), isAcross: isAcross)
          }
          backend.packedProduct(
            factors[0], factors[1], m: m, n: n, k: k, ProductResult(out: out, accumulate: true))
          #expect(
            backend.values(of: out) == expected.floats,
            "\(backend.summary) \(type) \(acrossLeft) \(acrossRight)")
        }
      }
    }
  }

  /// A product has the same bits with any number of threads.
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

  /// Products of float32 factors are exact, with a weight packed anew or kept packed.
  @Test(arguments: shapes) func sumsOfFloatsAreExact(shape: Shape) throws {
    let (m, n, k) = (shape.m, shape.n, shape.k)
    let (left, right) = (Self.numbers(m, k, seed: 1), Self.numbers(n, k, seed: 2))
    var expected = Matrix(rows: m, columns: n)
    for i in 0..<m {
      for j in 0..<n {
        for l in 0..<k { expected[i, j] += left[i, l] * right[j, l] }
      }
    }
    for kernels in KernelSets.all where kernels.float_product != nil {
      for threads in [1, 3] {
        let backend = try CPUBackend(threads: threads, kernels: kernels)
        let weight = Self.weight(right, on: backend)
        for _ in 0..<3 {
          let out = backend.makeTensor(rows: m, columns: n)
          backend.packedProduct(
            PackedFactor(tensor: leaf(left, on: backend), isAcross: false),
            PackedFactor(tensor: weight, isAcross: false), m: m, n: n, k: k, as: .floats, keepsRight: true,
            ProductResult(out: out))
          #expect(backend.values(of: out) == expected.floats, "\(backend.summary)")
        }
      }
    }
  }

  private static func weight(_ values: Matrix, on backend: CPUBackend) -> Tensor {
    let storage = backend.makeWeights(count: values.rows * values.columns)
    let weight = Tensor(rows: values.rows, columns: values.columns, storage: storage)
    values.floats.withUnsafeBufferPointer { backend.upload($0, to: weight) }
    return weight
  }

  /// A row's result is the same alone and among others, with a new or a kept weight, whatever
  /// follows the product.
  @Test(arguments: [Precision.fp32, .bf16]) func rowsDoNotDependOnOthers(precision: Precision) throws {
    let (x, w) = (Matrix.random(200, 1700, seed: 1), Matrix.random(100, 1700, seed: 2))
    for kernels in KernelSets.all where precision == .bf16 || kernels.float_product != nil {
      let backend = try CPUBackend(threads: 2, kernels: kernels, precision: precision)
      for activation in [Activation.none, .relu, .gelu, .quickGELU] {
        let (weight, bias) = (Self.weight(w, on: backend), leaf(.random(1, 100, seed: 3), on: backend))
        func rows(_ count: Int) -> [Float] {
          let some = Matrix(rows: count, columns: 1700) { x[$0, $1] }
          return backend.values(
            of: Tape.inference(backend).linear(
              leaf(some, on: backend), weight, bias, activation: activation))
        }
        let all = rows(200)
        for count in [3, 40, 200, 1] {
          #expect(rows(count) == Array(all.prefix(count * 100)), "\(backend.summary) \(activation) \(count)")
        }
      }
    }
  }

  /// Outside training weights are kept packed from their second product on, and further passes take
  /// no memory.
  ///
  /// A training step keeps no packed weights.
  @Test(arguments: [Precision.fp32, .bf16]) func onlyWhatStaysIsKept(precision: Precision) throws {
    for kernels in KernelSets.all where precision == .bf16 || kernels.float_product != nil {
      let backend = try CPUBackend(threads: 2, kernels: kernels, precision: precision)
      let store = ParameterStore(backend: backend)
      let weight = store.add("weight", [300, 200], .normal(deviation: 1))
      store.initialize(seed: 1)
      let x = leaf(.random(90, 200, seed: 1), on: backend)
      func kept() -> Int? { weight.tensor.storage.onHost.packings?.kept.count }
      for _ in 0..<3 { _ = Tape.training(backend, seed: 1, step: 0).linear(x, weight.tensor) }
      #expect(kept() == 0)
      for _ in 0..<3 { _ = Tape.inference(backend).linear(x, weight.tensor) }
      #expect(kept() == 1)
      let memory = backend.memory.now
      for _ in 0..<3 { _ = Tape.inference(backend).linear(x, weight.tensor) }
      #expect(kept() == 1 && backend.memory.now == memory)
    }
  }

  /// Every element is in one block, and threads share full blocks equally.
  @Test func blocksCoverTheProduct() {
    for threads in [1, 2, 3, 8] {
      for (rows, columns, most) in [
        (1, 1, Int.max), (64, 48, .max), (77, 1536, .max), (2464, 512, .max), (2464, 3072, 768),
        (640, 3100, 768), (63, 100, 768), (8 * 64, 16, .max), (129, 2000, 768),
      ] {
        let division = BlockDivision(
          rows: rows, columns: columns, blockRows: 64, mostColumns: most, threads: threads)
        var covered = [Int](repeating: 0, count: rows * columns)
        var wide = 0
        for item in 0..<division.items {
          let (some, part) = division[item]
          #expect(part.lowerBound % 16 == 0 && part.count <= division.width && part.count <= most)
          if part.count == columns, some.count == 64, columns > 48 { wide += 1 }
          for row in some {
            for column in part { covered[row * columns + column] += 1 }
          }
        }
        #expect(covered.allSatisfy { $0 == 1 }, "\(rows) x \(columns), \(threads) threads")
        if most == .max, columns > 192 { #expect(wide % threads == 0) }
      }
    }
  }

  /// Weights kept packed follow every change of the weights.
  @Test(arguments: [(Precision.bf16, 8), (.bf16, 80), (.fp32, 8), (.fp32, 80)])
  func keptWeightsFollowTheirChanges(precision: Precision, rows: Int) throws {
    let backend = try CPUBackend(threads: 2, emulating: precision)
    let store = ParameterStore(backend: backend)
    let weight = store.add("weight", [70, 40], .normal(deviation: 1))
    store.initialize(seed: 1)
    let x = leaf(.random(rows, 40, seed: 1), on: backend)
    func product(_ weight: Tensor) -> [Float] {
      let out = backend.makeTensor(rows: rows, columns: 70)
      backend.run(Product(x, weight: weight, keepsWeight: true, out: out))
      return backend.values(of: out)
    }
    func check(_ change: String) {
      // This weight was in no product before.
      let plain = Self.weight(Matrix(rows: 70, columns: 40) { _, _ in 0 }, on: backend)
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
    tape.customLoss([out]) { _ in [Matrix.random(rows, 70, seed: 7).floats] }
    tape.backward()
    optimizer.step(learningRate: 0.1)
    check("an update")
    backend.run(Fill(weight.tensor, with: 3))
    check("filling")
  }
}

/// Conversions between float32 and bfloat16.
struct BF16ValueTests {
  /// Rounding goes to the nearest, ties to even, and keeps infinities and NaN.
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

  /// `halve` accepts all finite halves, and no list in which a float is one bit away.
  @Test func halves() throws {
    let all = (0...UInt16.max).filter { Float16(bitPattern: $0).isFinite }
    let floats = all.map { Float(Float16(bitPattern: $0)) }
    var random = TestRandom(seed: 2)
    for kernels in KernelSets.all {
      var found = [UInt16](repeating: 0, count: all.count)
      #expect(kernels.halve(&found, floats, floats.count))
      #expect(found == all)
      for _ in 0..<200 {
        let (place, bit) = (Int(random.next() % UInt64(floats.count)), UInt32(random.next() % 13))
        var other = floats
        other[place] = Float(bitPattern: other[place].bitPattern ^ 1 << bit)
        let isHalf = Float(Float16(other[place])) == other[place]
        #expect(kernels.halve(&found, other, other.count) == isHalf)
      }
      for other in [Float.infinity, -.infinity, .nan, 65_520, 0x1p-25, 0x1p-130] {
        #expect(!kernels.halve(&found, [1, other], 2))
      }
    }
  }

  /// Dropout drops the same elements in float32 and in bfloat16.
  @Test func dropoutDropsTheSame() throws {
    try Backends.forEachBF16 { backend in
      let results = [ElementType.float32, .bfloat16].map { type in
        let tape = Tape.training(backend, seed: 5, step: 2)
        return backend.values(of: tape.dropoutFactors(37, 150, probability: 0.3, type: type)).map { $0 == 0 }
      }
      #expect(results[0] == results[1] && results[0].contains(true))
    }
  }

  /// Additions, copies, scalings and fills are right between the types.
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

/// The precisions with which the CPU can be opened.
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
