import CKernels
import TestSupport
import Testing
import TileEmulation

@testable import Engine

/// Products by the tile instructions of AMX, which run in C where the processor lacks them.
@Suite(.serialized) struct TileTests {
  /// Rows, columns and depths around 16, 32 and the stretches of the inner dimension.
  static let shapes = [
    (1, 1, 1), (16, 16, 32), (17, 33, 31), (31, 15, 64), (32, 32, 66), (33, 48, 95), (70, 100, 1601),
    (20, 30, 8301),
  ]

  /// The kernel sets that multiply by tiles.
  private static var sets: [hero_kernels] {
    KernelSets.multiplying.filter { String(cString: $0.name).hasPrefix("amx") }
  }

  /// One instruction sums even and odd elements apart, each from 0, and takes subnormal numbers for
  /// 0.
  @Test func theInstruction() {
    func product(_ sum: Float, _ pairs: [(Float, Float)]) -> Float {
      var sums = [Float](repeating: sum, count: 256)
      var left = [hero_bf16](repeating: hero_bf16(bits: 0), count: 512)
      let one = hero_bf16(bits: BFloat16.bits(1))
      let right = [hero_bf16](repeating: one, count: 512)
      for (k, pair) in pairs.enumerated() {
        left[32 + 2 * k] = hero_bf16(bits: BFloat16.bits(pair.0))
        left[32 + 2 * k + 1] = hero_bf16(bits: BFloat16.bits(pair.1))
      }
      hero_tiles_multiply(&sums, left, right)
      let before = sum.isSubnormal ? 0 : sum
      #expect(sums[0] == before && sums[255] == before, "only the second row's sums get products")
      #expect(Set(sums[16..<32]).count == 1)
      return sums[16]
    }
    #expect(product(5, [(1, 2), (3, 4)]) == 15)
    // 1 + 2⁻²⁴ is 1 again, as often as it is added; 2⁻²⁴ + 2⁻²⁴ is a step of 1.
    #expect(product(-1, [(1, 0x1p-24), (0x1p-24, 0x1p-24), (0x1p-24, 0)]) == 0x1p-23)
    #expect(product(0, [(0x1p-130, 0), (0, 0x1p-133)]) == 0)
    #expect(product(0x1p-140, [(0x1p-126, -0x1.8p-126)]) == 0)
    #expect(product(0x1p-125, [(0x1p-126, 0)]) == 0x1.8p-125)
  }

  /// Products agree with double precision.
  ///
  /// They have the same bits from the instructions and from C, with any number of threads.
  @Test(arguments: shapes) func products(m: Int, n: Int, k: Int) throws {
    let (left, right) = (Matrix.random(m, k, seed: 1).asBF16, Matrix.random(n, k, seed: 2).asBF16)
    var (exact, sizes) = (Matrix(rows: m, columns: n), Matrix(rows: m, columns: n))
    for i in 0..<m {
      for j in 0..<n {
        for l in 0..<k {
          exact[i, j] += left[i, l] * right[j, l]
          sizes[i, j] += abs(left[i, l] * right[j, l])
        }
      }
    }
    // Products are exact. An element is rounded once for each pair of a tile, once for even and odd
    // sums, once for each tile, and once for each stretch of the inner dimension.
    let roundings = Double(16 + 1 + (k + 31) / 32 + 9)
    let turned = { (x: Matrix) in Matrix(rows: x.columns, columns: x.rows) { x[$1, $0] } }
    for type in [ElementType.float32, .bfloat16] {
      for (acrossLeft, acrossRight) in [(false, false), (false, true), (true, true)] {
        var results: Set<[Float]> = []
        for (kernels, threads) in Self.sets.flatMap({ set in [1, 3].map { (set, $0) } }) {
          let backend = try CPUBackend(threads: threads, kernels: kernels, precision: .bf16)
          Backends.poison(backend)
          let out = backend.makeTensor(rows: m, columns: n)
          let factors = [(left, acrossLeft), (right, acrossRight)].map { matrix, isAcross in
            PackedFactor(
              tensor: leaf(isAcross ? turned(matrix) : matrix, type: type, on: backend), isAcross: isAcross)
          }
          backend.packedProduct(factors[0], factors[1], m: m, n: n, k: k, ProductResult(out: out))
          let values = backend.values(of: out)
          results.insert(values)
          let isNear = values.indices.allSatisfy {
            abs(Double(values[$0]) - exact.values[$0]) <= roundings * 0x1p-24 * sizes.values[$0]
          }
          #expect(isNear, "\(backend.summary) \(type) \(acrossLeft) \(acrossRight)")
        }
        #expect(results.count <= 1, "\(type) \(acrossLeft) \(acrossRight)")
      }
    }
  }

  /// An infinity or a NaN stays in its column or row, though in memory it follows the last word of
  /// the one before.
  @Test func whatIsNotFiniteStays() throws {
    var (x, w) = (Matrix.random(40, 33, seed: 1), Matrix.random(40, 33, seed: 2))
    (w[16, 0], w[32, 1], x[17, 32]) = (.infinity, .nan, .nan)
    for kernels in Self.sets {
      let backend = try CPUBackend(threads: 2, kernels: kernels, precision: .bf16)
      let out = backend.makeTensor(rows: 40, columns: 40)
      backend.run(Product(leaf(x, on: backend), weight: leaf(w, on: backend), out: out))
      let values = backend.values(of: out)
      for i in 0..<40 {
        for j in 0..<40 {
          #expect(values[40 * i + j].isFinite == (i != 17 && j != 16 && j != 32), "\(i) \(j)")
        }
      }
    }
  }
}
