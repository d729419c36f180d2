import CKernels
import Foundation
import TestSupport
import Testing

@testable import Engine

/// Moments in bfloat16: rounded by the bits that `hero_rounding.h` documents, the same on every
/// device, and right in the mean.
@Suite(.serialized) struct MomentRoundingTests {
  private static let seed: UInt64 = 0x1234_5678_9ABC_DEF0

  /// Rounds a value as documented.
  private static func rounded(_ value: Float, _ random: UInt32) -> UInt16 {
    let bits = value.bitPattern
    if value.isNaN { return UInt16(bits >> 16) | 0x40 }
    // The largest finite bfloat16 is 0x7F7F.
    let isLarge = bits & 0x7FFF_FFFF >= 0x7F7F_0000
    return UInt16((isLarge ? bits : bits + random) >> 16)
  }

  /// Returns an element's random bits for its first and for its second moment.
  private static func random(_ place: Int, step: Int) -> (UInt32, UInt32) {
    let words = Philox.block(
      SIMD4(UInt32(place / 4), 0, UInt32(step), HERO_ROUNDING_WORD),
      key: SIMD2(UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32)))
    return (words[place % 4] & 0xFFFF, words[place % 4] >> 16)
  }

  /// Numbers whose moments, with both decays 1/2, are exact in float32, so that all kernels agree.
  ///
  /// Gradients are multiples of 1/256, moments of 1/16.
  private struct Numbers {
    var gradients: [Float] = []
    var first: [Float] = []
    var second: [Float] = []
    let epsilon: Float = 0x1p-10

    init(count: Int) {
      var random = RandomStream(seed: 4, stream: 1)
      for place in 0..<count {
        let words = random.next()
        gradients.append(Float(Int(words & 0x3FF) - 512) / 256)
        first.append(Float(Int(words >> 10 & 0xFF) - 128) / 16)
        second.append(Float(words >> 20 & 0xFF) / 16)
        switch place % 100 {
        case 7: (gradients[place], first[place], second[place]) = (0, 0, 0)
        case 8: gradients[place] = 0
        case 9: gradients[place] = .infinity
        case 10: gradients[place] = .nan
        case 11: (gradients[place], first[place]) = (.greatestFiniteMagnitude, Float(bitPattern: 0x7F7F_0000))
        case 12:
          (gradients[place], first[place]) = (-.greatestFiniteMagnitude, -Float(bitPattern: 0x7F7F_0000))
        default: break
        }
      }
    }

    /// Returns the moments after an update, in float32.
    func moments(_ kind: OptimizerKind, _ place: Int) -> (first: Float, second: Float) {
      let g = gradients[place]
      // The maximum ignores a NaN beside a number, as the processors' instruction does.
      let second =
        kind == .adamax
        ? Float.maximum(second[place] / 2, abs(g) + epsilon) : second[place] / 2 + g * g / 2
      return (first[place] / 2 + g / 2, second)
    }
  }

  /// Makes a tensor of bfloat16.
  private static func narrow(_ values: [Float], on backend: any Backend) -> Tensor {
    let tensor = backend.makeTensor(rows: 1, columns: values.count, type: .bfloat16)
    values.withUnsafeBufferPointer { backend.upload($0, to: tensor) }
    return tensor
  }

  /// Returns the moments after one update in `pieces`, each with its own number of updates in
  /// `steps`.
  private static func update(
    _ kind: OptimizerKind, _ numbers: Numbers, _ pieces: [Range<Int>], steps: [Int], on backend: any Backend
  ) -> (first: [Float], second: [Float]) {
    let count = numbers.gradients.count
    let gradients = backend.makeTensor(numbers.gradients, rows: 1, columns: count)
    let (first, second) = (narrow(numbers.first, on: backend), narrow(numbers.second, on: backend))
    let parameters = backend.makeTensor([Float](repeating: 0.25, count: count), rows: 1, columns: count)
    backend.run(
      OptimizerStep(
        kind: kind,
        slices: zip(pieces, steps).map { range, step in
          OptimizerSlice(
            range: range, gradients: gradients.slice(range, rows: 1, columns: range.count), weightDecay: 0,
            learningRate: 0.1, step: step)
        }, parameters: parameters, first: first, second: second, betas: (0.5, 0.5), epsilon: numbers.epsilon,
        clipping: nil, seed: seed))
    return (backend.values(of: first), backend.values(of: second))
  }

  /// Every kernel set, with one to four threads, and the GPU round to the documented bits.
  ///
  /// The bits depend on an element's place and update only, not on slices or threads.
  @Test(arguments: OptimizerKind.allCases) func bitsAreAsDocumented(kind: OptimizerKind) throws {
    let count = 13_001
    let numbers = Numbers(count: count)
    let cuts = [[0, count], [0, 3, 20, 33, 8_191, 8_192, count]]
    func check(_ backend: any Backend) {
      for (cut, steps) in zip(cuts, [[5], [5, 6, 7, 8, 9, 70_000]]) {
        let pieces = zip(cut, cut.dropFirst()).map { $0..<$1 }
        let found = Self.update(kind, numbers, pieces, steps: steps, on: backend)
        var wrong: [Int] = []
        for (piece, step) in zip(pieces, steps) {
          for place in piece {
            let exact = numbers.moments(kind, place)
            let random = Self.random(place, step: step)
            for (value, number, bits) in [
              (found.first[place], exact.first, random.0), (found.second[place], exact.second, random.1),
            ] {
              let isSame =
                number.isNaN ? value.isNaN : value.bitPattern >> 16 == Self.rounded(number, bits)
              if !isSame { wrong.append(place) }
            }
            // Without a gradient half of the moment remains, which bfloat16 holds exactly.
            if numbers.gradients[place] == 0 { #expect(found.first[place] == numbers.first[place] / 2) }
          }
        }
        #expect(wrong.isEmpty, "\(backend.summary): \(wrong.prefix(9))")
      }
    }
    try Backends.forEach(check)
    check(try CPUBackend(threads: 4))
  }

  /// No number becomes infinite by rounding, and infinities and NaN stay what they are.
  @Test func theLargestStayNumbers() throws {
    let numbers = Numbers(count: 100)
    try Backends.forEach { backend in
      let found = Self.update(.adamw, numbers, [0..<100], steps: [1], on: backend)
      #expect(found.first[7].bitPattern == 0 && found.second[7].bitPattern == 0)
      #expect(found.first[9] == .infinity && found.second[9] == .infinity)
      #expect(found.first[10].isNaN && found.second[10].isNaN)
      #expect(found.first[11] == Float(bitPattern: 0x7F7F_0000))
      #expect(found.first[12] == -Float(bitPattern: 0x7F7F_0000))
    }
  }

  /// The share of a number's roundings that go up is its distance to the lower neighbour, within
  /// five standard errors.
  ///
  /// The roundings of the two moments and of neighbours are independent.
  @Test(arguments: [Float(0x1.004p0), 0x1.00cp0, 0x1.01ap0, -0x1.014p0])
  func rightInTheMean(value: Float) throws {
    let count = 200_000
    let backend = try CPUBackend(threads: 2)
    var numbers = Numbers(count: 0)
    // The first moment becomes `value`, the second 2·value², both exactly.
    numbers.gradients = [Float](repeating: 2 * value, count: count)
    numbers.first = [Float](repeating: 0, count: count)
    numbers.second = numbers.first
    let found = Self.update(.adam, numbers, [0..<count], steps: [3], on: backend)
    var (ups, shares): ([[Bool]], [Double]) = ([], [])
    for (values, exact) in [(found.first, value), (found.second, 2 * value * value)] {
      let low = exact.bitPattern >> 16
      ups.append(values.map { $0.bitPattern >> 16 == low + 1 })
      #expect(values.allSatisfy { $0.bitPattern >> 16 == low || $0.bitPattern >> 16 == low + 1 })
      let share = Double(exact.bitPattern & 0xFFFF) / 65_536
      let counted = Double(ups[ups.count - 1].count { $0 })
      shares.append(share)
      #expect(
        abs(counted - Double(count) * share) <= 5 * (Double(count) * share * (1 - share)).squareRoot())
    }
    func checkIndependent(_ a: some Sequence<Bool>, _ b: some Sequence<Bool>, _ expected: Double) {
      let both = zip(a, b).reduce(0.0) { $0 + ($1.0 && $1.1 ? 1 : 0) }
      #expect(
        abs(both / Double(count) - expected) <= 5 * (0.25 / Double(count)).squareRoot() + 64 / Double(count))
    }
    checkIndependent(ups[0], ups[1], shares[0] * shares[1])
    for distance in [1, 2, 4, 16, 32] {
      checkIndependent(ups[0], ups[0].dropFirst(distance), shares[0] * shares[0])
    }
  }

  /// Weights move by the unrounded moments, so a first update is that of float32.
  @Test(arguments: OptimizerKind.allCases) func weightsMoveUnrounded(kind: OptimizerKind) throws {
    try Backends.forEach { backend in
      let weights = MomentsPrecision.allCases.map { moments in
        let store = ParameterStore(backend: backend)
        let parameter = store.add("p", [70, 33], .normal(deviation: 1))
        store.initialize(seed: 1)
        let optimizer = Optimizer(
          kind, store: store, betas: (0.9, 0.98), moments: moments, seed: Self.seed, weightDecay: { _ in 0.1 }
        )
        let tape = Tape.training(backend, seed: 1, step: 0)
        tape.customLoss([parameter.tensor]) { $0 }
        tape.backward()
        _ = optimizer.step(learningRate: 0.01, gradientNorm: -1)
        return store.values(of: parameter)
      }
      #expect(weights[0] == weights[1], "\(backend.summary)")
    }
  }

  /// Pages that no gradient reaches are not written and take no memory.
  @Test(arguments: [OptimizerKind.adam, .adamw]) func untouchedPagesTakeNoMemory(kind: OptimizerKind) throws {
    let backend = try CPUBackend(threads: 1)
    let store = ParameterStore(backend: backend)
    let (rows, columns) = (1 << 12, 1 << 10)
    let parameter = store.add("word", [rows, columns], .constant(0))
    store.initialize(seed: 1)
    let optimizer = Optimizer(
      kind, store: store, betas: (0.9, 0.98), moments: .bf16, seed: Self.seed, weightDecay: { _ in 0 })
    let indices = backend.makeIndices([0, rows / 2])
    func update(_ step: UInt64) {
      let tape = Tape.training(backend, seed: 1, step: step)
      let targets = backend.makeTensor([Float](repeating: 1, count: 2 * columns), rows: 2, columns: columns)
      _ = tape.distances(tape.gather(parameter.tensor, indices), targets: targets, weight: 1)
      tape.backward()
      _ = optimizer.step(learningRate: 0.01, gradientNorm: 1)
    }
    update(0)
    // Two rows of 2,048 bytes each lie on two of the tensor's 2,048 pages.
    #expect(try Self.written(of: optimizer.first) == 2)
    update(1)
    #expect(try Self.written(of: optimizer.first) == 2 && Self.written(of: optimizer.second) == 2)
    let moments = optimizer.moments(of: parameter)
    #expect(moments.first.count { $0 != 0 } == 2 * columns && moments.second.count { $0 > 0 } == 2 * columns)
  }

  /// Counts a host tensor's pages that were written, by `/proc/self/pagemap`.
  ///
  /// Reading maps the shared page of zeros. A written page is this process's alone (bit 56).
  private static func written(of tensor: Tensor) throws -> Int {
    let size = sysconf(Int32(_SC_PAGESIZE))
    let file = try #require(FileHandle(forReadingAtPath: "/proc/self/pagemap"))
    let first = UInt64(UInt(bitPattern: tensor.storage.onHost.bytes)) / UInt64(size)
    let pages = tensor.bytes / size
    try file.seek(toOffset: 8 * first)
    let marks = try #require(try file.read(upToCount: 8 * pages))
    #expect(marks.count == 8 * pages)
    return marks.withUnsafeBytes { bytes in
      (0..<pages).count { bytes.loadUnaligned(fromByteOffset: 8 * $0, as: UInt64.self) >> 56 & 1 == 1 }
    }
  }

  /// Two ranks, each with half of every loss, get the bits of a single rank with all of it.
  ///
  /// Then the second rank takes over the first one's moments.
  @Test func ranksAgree() throws {
    let numbers = (0..<3).map { Matrix.random(21, 37, seed: $0).floats }
    let train: @Sendable (any Communicator) throws -> [[Float]] = { ranks in
      let backend = try CPUBackend(threads: 1)
      let store = ParameterStore(backend: backend)
      let parameter = store.add("p", [21, 37], .constant(0))
      store.initialize(seed: 1)
      let optimizer = Optimizer(
        .adamw, store: store, betas: (0.9, 0.98), moments: .bf16, seed: Self.seed, weightDecay: { _ in 0.1 })
      let exchange = GradientExchange(store, communicator: ranks)
      for (step, targets) in numbers.enumerated() {
        let tape = Tape.training(backend, seed: 1, step: UInt64(step), communicator: ranks)
        _ = tape.distances(
          tape.scale(parameter.tensor, by: 1), targets: backend.makeTensor(targets, rows: 21, columns: 37),
          weight: 1 / Float(ranks.size))
        exchange.backward(tape)
        _ = optimizer.step(learningRate: 0.01, gradientNorm: -1)
      }
      let moments = optimizer.moments(of: parameter)
      if ranks.rank == 1 {
        let zeros = [Float](repeating: 0, count: 777)
        optimizer.restore(parameter, first: zeros, second: zeros, updates: 3)
      }
      ranks.broadcast(optimizer.first, on: backend)
      ranks.broadcast(optimizer.second, on: backend)
      let taken = optimizer.moments(of: parameter)
      #expect(taken.first == moments.first && taken.second == moments.second)
      return [store.values(of: parameter), moments.first, moments.second]
    }
    let alone = try train(SoleCommunicator.shared)
    for found in try ThreadRanks.run(2, train) { #expect(found == alone) }
  }

  /// Training with bfloat16 moments learns as with float32 ones, repeats bit for bit, and depends
  /// on the rounding's seed.
  @Test func learnsAsInFloat32() throws {
    try Backends.forEach { backend in
      func losses(_ moments: MomentsPrecision, seed: UInt64) -> [Float] {
        let network = TrainingStepTests.Network(backend, seed: 3, moments: moments, rounding: seed)
        return (0..<30).map { network.step($0, seed: 3) }
      }
      let (exact, narrow) = (losses(.fp32, seed: 1), losses(.bf16, seed: 1))
      #expect(narrow[29] < 0.3 * narrow[0], "\(backend.summary)")
      // The first update's weights are float32's.
      #expect(narrow[0...1] == exact[0...1] && narrow[2...] != exact[2...])
      #expect(losses(.bf16, seed: 1) == narrow && losses(.bf16, seed: 2) != narrow)
      #expect(losses(.fp32, seed: 2) == exact)
    }
  }
}
