import TestSupport
import Testing

@testable import Engine

/// A small network with every kind of layer, trained on one batch.
@Suite(.serialized) struct TrainingStepTests {
  struct Network {
    let backend: any Backend
    let store: ParameterStore
    let optimizer: Optimizer
    let segments = Segments(lengths: [5, 9, 1, 20])
    let width = 32
    let words = 40

    init(
      _ backend: any Backend, seed: UInt64, moments: MomentsPrecision = .fp32, rounding: UInt64 = 0
    ) {
      self.backend = backend
      store = ParameterStore(backend: backend)
      _ = store.add("word", [words, width], .normal(deviation: 0.5))
      for layer in 0..<2 {
        let (parts, store, width) = (["query", "key", "value"], store, width)
        store.join(
          parts.map { store.add("\(layer).\($0).weight", [width, width], .normal(deviation: 0.2)) })
        store.join(parts.map { store.add("\(layer).\($0).bias", [width], .constant(0)) })
        _ = store.add("\(layer).up", [2 * width, width], .normal(deviation: 0.2))
        _ = store.add("\(layer).down", [width, 2 * width], .normal(deviation: 0.2))
        _ = store.add("\(layer).gamma", [width], .constant(1))
        _ = store.add("\(layer).beta", [width], .constant(0))
      }
      store.initialize(seed: seed)
      optimizer = Optimizer(
        .adamw, store: store, betas: (0.9, 0.98), moments: moments, seed: rounding, weightDecay: { _ in 0.01 }
      )
    }

    private func tensor(_ name: String) -> Tensor {
      guard let parameter = store[name] else { preconditionFailure("no \(name)") }
      return parameter.tensor
    }

    private func stack(_ layer: Int, _ kind: String) -> Tensor {
      store.stack(["query", "key", "value"].compactMap { store["\(layer).\($0).\(kind)"] })
    }

    func step(_ number: Int, seed: UInt64) -> Float {
      Float(backend.numbers(of: [update(number, seed: seed)])[0])
    }

    /// Makes one update and returns its loss, which stays on the device.
    func update(_ number: Int, seed: UInt64) -> Tensor {
      let tape = Tape.training(backend, seed: seed, step: UInt64(number))
      let ids = (0..<segments.rows).map { $0 * 7 % words }
      var x = tape.gather(tensor("word"), tape.backend.makeIndices(ids))
      for layer in 0..<2 {
        let fused = tape.linear(x, stack(layer, "weight"), stack(layer, "bias"))
        let context = tape.attention(
          queries: fused, keysValues: fused, keyColumn: width, valueColumn: 2 * width, width: width, heads: 2,
          querySegments: segments.on(tape.backend), keySegments: segments.on(tape.backend), dropout: 0.1)
        let hidden = tape.linear(context, tensor("\(layer).up"), activation: .gelu)
        x = tape.layerNorm(
          tape.linear(hidden, tensor("\(layer).down")), residual: x, tensor("\(layer).gamma"),
          tensor("\(layer).beta"), epsilon: 1e-12, innerDropout: 0.1, overwriting: true)
      }
      let losses = tape.crossEntropy(
        tape.linear(x, tensor("word")), targets: tape.backend.makeIndices(ids.map { ($0 + 1) % words }),
        weight: 1 / Float(ids.count))
      tape.backward()
      _ = optimizer.step(learningRate: 0.01, gradientNorm: 5)
      return tape.sum([losses], scale: 1 / Double(losses.count))
    }
  }

  @Test func memoryStaysAndTheLossFalls() throws {
    func check(_ backend: any Backend) {
      let network = Network(backend, seed: 3)
      var losses: [Float] = []
      var memory: [Int] = []
      for number in 0..<30 {
        losses.append(network.step(number, seed: 3))
        memory.append(backend.memory.now)
      }
      #expect(losses[0] > 2.5 && losses[29] < 0.3 * losses[0], "\(backend.summary)")
      #expect(Set(memory.dropFirst()).count == 1)
      #expect(backend.memory.peak >= backend.memory.now)
    }
    try Backends.forEach(check)
    try Backends.forEachBF16(check)
  }

  /// Losses in bfloat16 stay near those in float32.
  @Test func bf16StaysNear() throws {
    let exact = Network(try CPUBackend(threads: 2), seed: 3)
    let losses = (0..<5).map { exact.step($0, seed: 3) }
    try Backends.forEachBF16 { backend in
      let network = Network(backend, seed: 3)
      for (number, expected) in losses.enumerated() {
        #expect(abs(network.step(number, seed: 3) - expected) <= 0.03 * expected, "update \(number)")
      }
    }
  }

  /// On a new backend, whose pool is empty, only the first two steps take memory.
  @Test func secondStepTakesTheLastMemory() throws {
    let backend = try CPUBackend(threads: 2)
    let network = Network(backend, seed: 3)
    _ = network.step(0, seed: 3)
    _ = network.step(1, seed: 3)
    let after = backend.memory.now
    for number in 2..<8 { _ = network.step(number, seed: 3) }
    #expect(backend.memory.now == after && after > 0)
  }

  /// Shorter batches reuse the memory of a long one, and adjacent free memory serves a longer one.
  @Test func shorterBatchesTakeNoMemory() throws {
    let backend = try CPUBackend(threads: 1)
    for rows in [1000, 800, 650, 400, 260, 1000] {
      let tensors = (0..<3).map { _ in backend.makeTensor(rows: rows, columns: 64) }
      #expect(Set(tensors.map(\.pointer)).count == 3)
      #expect(backend.memory.now == 3 * 4 * 1000 * 64)
    }
    _ = backend.makeTensor(rows: 3000, columns: 64)
    #expect(backend.memory.now == 3 * 4 * 1000 * 64, "three neighbours are one stretch")
    _ = backend.makeTensor(rows: 3001, columns: 64)
    #expect(backend.memory.now > 3 * 4 * 1000 * 64)
  }

  @Test func runsRepeatBitForBit() throws {
    for kernels in KernelSets.all {
      for (threads, precision) in [(1, Precision.fp32), (2, .fp32), (3, .fp32), (2, .bf16)] {
        let runs = try (0..<2).map { _ in
          let backend = try CPUBackend(threads: threads, kernels: kernels, precision: precision)
          let network = Network(backend, seed: 9)
          let losses = (0..<5).map { network.step($0, seed: 9) }
          return losses + backend.values(of: network.store.values)
        }
        #expect(runs[0] == runs[1])
      }
    }
  }

  @Test func anotherSeedIsAnotherRun() throws {
    let backend = try CPUBackend(threads: 1)
    let losses = [(3, 3), (4, 3), (3, 4)].map { initial, dropout in
      let network = Network(backend, seed: UInt64(initial))
      return (0..<2).map { network.step($0, seed: UInt64(dropout)) }
    }
    #expect(Set(losses).count == 3)
  }
}
