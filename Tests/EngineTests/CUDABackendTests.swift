import CCUDA
import CUDAEmulation
import Foundation
import TestSupport
import Testing

@testable import Engine

/// What the CUDA backend promises beside right results, on the emulated device.
@Suite(.serialized) struct CUDABackendTests {
  typealias Network = TrainingStepTests.Network

  /// Updates beside the CPU's: the same losses, as far as float32 goes.
  @Test func trainsAsTheCPU() throws {
    let device = Network(try TestGPU.open(), seed: 3)
    let cpu = Network(try CPUBackend(threads: 1), seed: 3)
    for number in 0..<20 {
      let (loss, expected) = (device.step(number, seed: 3), cpu.step(number, seed: 3))
      #expect(abs(loss - expected) <= 1e-3 * expected, "update \(number)")
    }
  }

  /// bfloat16 follows the CPU from a distance, and learns.
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

  /// Nothing in an update waits or copies back, and after the first ones nothing takes memory from
  /// the driver.
  @Test(.enabled(if: TestGPU.isEmulated, "a GPU does not count its calls")) func updatesDoNotWait() throws {
    let network = Network(try TestGPU.open(), seed: 3)
    for number in 0..<3 { _ = network.step(number, seed: 3) }
    let before = hero_cuda_emulation_count()
    let losses = (3..<6).map { network.update($0, seed: 3) }
    let after = hero_cuda_emulation_count()
    #expect(after.waits == before.waits && after.downloads == before.downloads)
    #expect(after.launches > before.launches + 100)
    let isFinite = network.backend.numbers(of: losses).allSatisfy { $0.isFinite }
    #expect(isFinite)
  }

  /// Blocks run in another order every second launch, which no result shows.
  @Test(arguments: [Precision.fp32, .bf16]) func runsRepeatBitForBit(precision: Precision) throws {
    let runs = try (0..<2).map { run in
      let backend = try TestGPU.open(precision)
      // The second run's launches have the other parity.
      if run == 1 { backend.run(Fill(backend.makeTensor(rows: 1, columns: 1), with: 0)) }
      let network = Network(backend, seed: 9)
      let losses = (0..<5).map { network.step($0, seed: 9) }
      return losses + backend.values(of: network.store.values)
    }
    #expect(runs[0] == runs[1])
  }

  /// Loading threads upload while updates are under way.
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

  /// Tensor-core products of tiles, in the emulated form, with everything that an attention can
  /// have.
  @Test(arguments: [8, 20, 64, 100], [false, true]) func attentionInHalfPrecision(head: Int, causal: Bool)
    throws
  {
    let (width, lengths) = (2 * head, [1, 0, 17, 64, 65, 130])
    let x = Matrix.random(lengths.reduce(0, +), 3 * width, seed: 1)
    let results = try [CPUBackend(threads: 1), TestGPU.open(.bf16)].map { (backend: any Backend) in
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
    expectNear(results[1].0, results[0].0, within: 0.01)
    expectNear(results[1].1, results[0].1, within: 0.015)
  }

  /// The norm of the difference, relative to that of what is expected.
  private func expectNear(_ values: [Float], _ expected: [Float], within tolerance: Float) {
    #expect(values.count == expected.count)
    let difference = paired(values, expected).reduce(Float(0)) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    let size = expected.reduce(Float(0)) { $0 + $1 * $1 }
    #expect(difference.squareRoot() <= tolerance * size.squareRoot(), "\((difference / size).squareRoot())")
  }

  private static let missing = ["HERO_CUDA_PATH": "/nowhere/cuda"]

  /// A library that is missing is named, with the places where it was looked for and a cure.
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
