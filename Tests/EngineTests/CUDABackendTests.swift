import CCUDA
import CUDAEmulation
import Foundation
import TestSupport
import Testing

@testable import Engine

/// The guarantees of the CUDA backend beyond correct results, on the emulated device.
@Suite(.serialized) struct CUDABackendTests {
  typealias Network = TrainingStepTests.Network

  /// Updates give the CPU's losses, up to float32's rounding.
  @Test func trainsAsTheCPU() throws {
    let device = Network(try TestGPU.open(), seed: 3)
    let cpu = Network(try CPUBackend(threads: 1), seed: 3)
    for number in 0..<20 {
      let (loss, expected) = (device.step(number, seed: 3), cpu.step(number, seed: 3))
      #expect(abs(loss - expected) <= 1e-3 * expected, "update \(number)")
    }
  }

  /// Losses in bfloat16 stay near the CPU's, and training learns.
  @Test func learnsInHalfPrecision() throws {
    let device = Network(try TestGPU.open(.bf16), seed: 3)
    let cpu = Network(try CPUBackend(threads: 1), seed: 3)
    var (first, last): (Float, Float) = (0, 0)
    for number in 0..<30 {
      let (loss, expected) = (device.step(number, seed: 3), cpu.step(number, seed: 3))
      if number < 5 { #expect(abs(loss - expected) <= 0.03 * expected, "update \(number)") }
      if number == 0 { first = loss }
      last = loss
    }
    #expect(last < 0.3 * first)
  }

  @Test func tf32IsOpened() throws {
    let network = Network(try TestGPU.open(.tf32), seed: 3)
    #expect(network.step(0, seed: 3).isFinite)
  }

  /// An update neither waits for the device nor copies from it, nor takes memory from the driver.
  @Test(.enabled(if: TestGPU.isEmulated, "a GPU does not count its calls")) func updatesDoNotWait() throws {
    let network = Network(try TestGPU.open(), seed: 3)
    for number in 0..<3 { _ = network.step(number, seed: 3) }
    let before = hero_cuda_emulation_count()
    let losses = (3..<6).map { network.update($0, seed: 3) }
    let after = hero_cuda_emulation_count()
    #expect(after.waits == before.waits && after.downloads == before.downloads)
    #expect(after.allocations == before.allocations)
    #expect(after.launches > before.launches + 100)
    let isFinite = network.backend.numbers(of: losses).allSatisfy { $0.isFinite }
    #expect(isFinite)
  }

  /// An upload comes after earlier uses of its memory, and before later ones.
  ///
  /// Small uploads are queued in line, large ones on a stream of their own, as floats or as halves,
  /// early or late.
  @Test(arguments: [(100, 0), (20_000, 0.1), (40_000, 0)] as [(Int, Float)], [false, true])
  func uploadsKeepTheirOrder(upload: (count: Int, fraction: Float), atOnce: Bool) throws {
    hero_cuda_emulation_copy_at_once(atOnce)
    defer { hero_cuda_emulation_copy_at_once(false) }
    let (count, backend) = (upload.count, try TestGPU.open())
    func values(_ value: Float) -> [Float] { [Float](repeating: value + upload.fraction, count: count) }
    func uploaded(_ value: Float) -> Tensor { backend.makeTensor(values(value), rows: 1, columns: count) }
    func has(_ tensor: Tensor, _ value: Float) -> Bool { backend.values(of: tensor) == values(value) }
    let copy = backend.makeTensor(rows: 1, columns: count)
    do { backend.run(Copy(uploaded(1), to: copy)) }
    // These reuse the first one's memory, one after the other.
    do { _ = uploaded(2) }
    let filled = backend.makeTensor(rows: 1, columns: count)
    backend.run(Fill(filled, with: 3 + upload.fraction))
    backend.synchronize()
    let last = uploaded(4)
    #expect(has(last, 4) && has(filled, 3) && has(copy, 1))
    // Another upload fills the same memory once more.
    let other = backend.makeTensor(rows: 1, columns: count)
    backend.run(Copy(last, to: other))
    values(5).withUnsafeBufferPointer { backend.upload($0, to: last) }
    #expect(has(last, 5) && has(other, 4))
  }

  /// Finite halves are uploaded in two bytes each and arrive bit for bit.
  ///
  /// One other number among them makes all of them travel as floats.
  @Test(arguments: [nil, 0.1, 65_504.5, .infinity, 0x1p-25, 0x1.0002p-3, 0x1p-140] as [Float?])
  func halvesTravelAsHalves(other: Float?) throws {
    var values = (0...UInt16.max).map { Float(Float16(bitPattern: $0)) }.filter(\.isFinite)
    if let other { values[50_000] = other }
    let backend = try TestGPU.open()
    let tensor = backend.makeTensor(rows: 1, columns: values.count + 5)
    let before = hero_cuda_emulation_count().uploaded
    values.withUnsafeBufferPointer { values in
      // At this offset the device cannot write four values at once.
      let part = Tensor(rows: 1, columns: values.count, storage: tensor.storage, offset: 3)
      backend.upload(values, to: part)
      let arrived = backend.values(of: part)
      #expect(arrived.map(\.bitPattern) == values.map(\.bitPattern))
    }
    let bytes = hero_cuda_emulation_count().uploaded - before
    #expect(!TestGPU.isEmulated || bytes == (other == nil ? 2 : 4) * values.count)
  }

  /// A reading gives the values of the moment it was asked for, and waiting for it leaves later
  /// work alone.
  @Test func readingsAreWaitedForAlone() throws {
    let backend = try TestGPU.open()
    let sums = backend.makeSums(2)
    backend.run(Fill(sums, with: 1))
    let first = backend.reading([sums])
    backend.run(Fill(sums, with: 2))
    let second = backend.reading([sums.element(0), sums])
    do { _ = backend.reading([sums]) }
    backend.run(Fill(sums, with: 3))
    let before = hero_cuda_emulation_count()
    #expect(first.numbers() == [1, 1] && second.numbers() == [2, 2, 2])
    let after = hero_cuda_emulation_count()
    #expect(!TestGPU.isEmulated || (after.waits == before.waits + 2 && after.stalls == before.stalls))
    #expect(backend.numbers(of: [sums]) == [3, 3])
  }

  /// The driver's peak of memory includes tensors, the workspace of products and the regions' ends.
  @Test func theDriverTellsTheMemory() throws {
    let backend = try TestGPU.open()
    let tensor = backend.makeTensor(rows: 3000, columns: 20_000)
    let peak = try #require(backend.peakDeviceMemory)
    #expect(peak >= backend.memory.peak && peak >= 4 * tensor.count + (32 << 20))
    #expect(try CPUBackend(threads: 1).peakDeviceMemory == nil)
  }

  /// Training repeats bit for bit, though every second launch runs its blocks in reverse.
  @Test(arguments: [Precision.fp32, .bf16]) func runsRepeatBitForBit(precision: Precision) throws {
    let runs = try (0..<2).map { run in
      let backend = try TestGPU.open(precision)
      // One more launch swaps the order of blocks for the second run.
      if run == 1 { backend.run(Fill(backend.makeTensor(rows: 1, columns: 1), with: 0)) }
      let network = Network(backend, seed: 9)
      let losses = (0..<5).map { network.step($0, seed: 9) }
      return losses + backend.values(of: network.store.values)
    }
    #expect(runs[0] == runs[1])
  }

  /// Loading threads may upload while updates are under way.
  @Test func uploadsFromOtherThreads() async throws {
    let backend = try TestGPU.open()
    let network = Network(backend, seed: 3)
    let rows = await withTaskGroup(of: [Float].self) { group in
      for task in 0..<4 {
        group.addTask {
          (0..<20).flatMap { turn in
            let values = (0..<100).map { Float($0 + 1000 * turn + 100_000 * task) }
            let tensor = backend.makeTensor(values, rows: 10, columns: 10)
            return backend.values(of: tensor) == values ? [] : [Float(turn)]
          }
        }
      }
      for number in 0..<3 { _ = network.step(number, seed: 3) }
      return await group.reduce(into: []) { $0 += $1 }
    }
    #expect(rows == [])
  }

  /// Runs self-attention of two heads with dropout, and returns its result and its input's
  /// gradient.
  private func attend(
    _ backend: any Backend, _ lengths: [Int], head: Int, causal: Bool = false
  ) -> (out: [Float], gradient: [Float]) {
    let width = 2 * head
    let x = Matrix.random(lengths.reduce(0, +), 3 * width, seed: 1)
    let tape = Tape.training(backend, seed: 1, step: 1)
    let (input, segments) = (leaf(x, on: backend), Segments(lengths: lengths, on: backend))
    let out = tape.attention(
      queries: input, keysValues: input, keyColumn: width, valueColumn: 2 * width, width: width, heads: 2,
      querySegments: segments, keySegments: segments, causal: causal, dropout: 0.2)
    let values = backend.values(of: out)
    tape.customLoss([out]) { _ in [Matrix.random(out.rows, out.columns, seed: 7).floats] }
    tape.backward()
    return (values, input.gradient.map { backend.values(of: $0) } ?? [])
  }

  /// The lengths of sequences that a block holds whole, around multiples of a warp's 16 rows, and
  /// of longer ones.
  private static let lengths = [1, 0, 16, 17, 32, 33, 64, 48, 65, 130]

  /// Attention by tensor-core products stays near the CPU's, with everything that an attention can
  /// have.
  @Test(arguments: [7, 20, 64, 100], [false, true]) func attentionInHalfPrecision(head: Int, causal: Bool)
    throws
  {
    let expected = attend(try CPUBackend(threads: 1), Self.lengths, head: head, causal: causal)
    let found = attend(try TestGPU.open(.bf16), Self.lengths, head: head, causal: causal)
    expectNear(found.out, expected.out, within: 0.01)
    expectNear(found.gradient, expected.gradient, within: 0.015)
  }

  /// Attention repeats bit for bit, though every second launch runs its blocks in reverse.
  @Test(arguments: [Precision.fp32, .bf16]) func attentionRepeatsBitForBit(precision: Precision) throws {
    let runs = try (0..<2).map { run in
      let backend = try TestGPU.open(precision)
      if run == 1 { backend.run(Fill(backend.makeTensor(rows: 1, columns: 1), with: 0)) }
      return attend(backend, Self.lengths, head: 20)
    }
    #expect(runs[0].out == runs[1].out && runs[0].gradient == runs[1].gradient)
  }

  /// A batch may have more long sequences beside short ones than one launch can choose.
  @Test func manyLongSequences() throws {
    let lengths = [3] + [Int](repeating: 65, count: HERO_CHOSEN_SEQUENCES + 2) + [16]
    let expected = attend(try CPUBackend(threads: 1), lengths, head: 4)
    let found = attend(try TestGPU.open(), lengths, head: 4)
    expectNear(found.out, expected.out, within: 1e-5)
    expectNear(found.gradient, expected.gradient, within: 1e-5)
  }

  /// A block holds as many rows of a sequence as its shared memory has room for.
  ///
  /// The rooms are those of compute capability 9.0, 8.6 and 7.0.
  @Test func shortSequencesFitTheDevice() {
    let bf16 = AttentionShape(precision: .bf16, headWidth: 128)
    let fp32 = AttentionShape(precision: .fp32, headWidth: 128)
    #expect([227, 99, 96].map { bf16.shortRows(room: $0 << 10) } == [64, 64, 64])
    #expect([227, 99, 96].map { fp32.shortRows(room: $0 << 10) } == [64, 32, 32])
    #expect(fp32.block(.attentionShortBackward, longest: 17).threads == 64)
    #expect(fp32.block(.attentionQueries, longest: 65).tiles == 3)
  }

  /// Norms are right for rows of one warp, of several and of a whole block, ending on eight columns
  /// or not.
  ///
  /// They have both dropouts and add the bias of the layer that they read.
  @Test(arguments: [1, 40, 300, 768, 1030, 4104], [Precision.fp32, .bf16])
  func normsOfAllWidths(columns: Int, precision: Precision) throws {
    let rows = 21
    let inputs = [
      Matrix.random(rows, 8, seed: 1), .random(columns, 8, seed: 2), .random(1, columns, seed: 3),
      .random(rows, columns, seed: 4), .random(1, columns, seed: 5), .random(1, columns, seed: 6),
    ]
    let results = try [CPUBackend(threads: 1), TestGPU.open(precision)].map { (backend: any Backend) in
      let tape = Tape.training(backend, seed: 1, step: 1)
      let t = inputs.map { leaf($0, on: backend) }
      let out = tape.layerNorm(
        tape.linear(t[0], t[1], t[2]), residual: t[3], t[4], t[5], epsilon: 0.1, innerDropout: 0.3,
        outerDropout: 0.2, overwriting: true)
      let values = backend.values(of: out)
      tape.customLoss([out]) { _ in [Matrix.random(out.rows, out.columns, seed: 7).floats] }
      tape.backward()
      return [values] + t.map { backend.values(of: $0.gradient!) }
    }
    for (found, expected) in paired(results[1], results[0]) {
      expectNear(found, expected, within: precision == .bf16 ? 0.02 : 1e-4)
    }
  }

  /// Checks the norm of the difference, relative to that of the expected values.
  private func expectNear(_ values: [Float], _ expected: [Float], within tolerance: Float) {
    #expect(values.count == expected.count)
    let difference = paired(values, expected).reduce(Float(0)) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    let size = expected.reduce(Float(0)) { $0 + $1 * $1 }
    #expect(difference.squareRoot() <= tolerance * size.squareRoot(), "\((difference / size).squareRoot())")
  }

  private static let missing = ["HERO_CUDA_PATH": "/nowhere/cuda"]

  /// A missing library is named, with the places searched and a cure.
  @Test(
    .enabled(
      if: CUDALibraries.survey(environment: missing).functions == nil, "a machine with a GPU has them all"))
  func missingLibrariesAreNamed() {
    let problems = CUDALibraries.survey(environment: Self.missing).problems
    let driver = problems.first { $0.hasPrefix("NVIDIA's driver") }
    #expect(driver?.contains("libcuda.so.1") == true && driver?.contains("/nowhere/cuda") == true)
    #expect(driver?.contains("install") == true)
  }
}
