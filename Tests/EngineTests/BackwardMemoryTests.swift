import Foundation
import Testing

@testable import Engine

/// The memory of a backward pass, whose gradients have the same bits whatever it keeps.
@Suite(.serialized) struct BackwardMemoryTests {
  private struct Outcome {
    /// The bytes of each parameter's gradient.
    var gradients: [Data] = []
    /// The peak of the update's bytes, without weights.
    var bytes = 0
    /// The bytes held when the backward pass begins, without weights.
    var held = 0
  }

  /// Runs an update of a chain of norms, each over x plus rows of a table.
  private func update(_ precision: Precision, releases: Bool, rows: Int, width: Int) throws -> Outcome {
    let backend = try CPUBackend(threads: 1, emulating: precision)
    let store = ParameterStore(backend: backend)
    let layers = 5
    // Each table has its own block of gradients.
    let tables = (0..<layers).map { store.add("table \($0)", [2048, width], .constant(0)) }
    let gammas = (0..<layers).map { store.add("gamma \($0)", [width], .constant(1)) }
    let betas = (0..<layers).map { store.add("beta \($0)", [width], .constant(0)) }
    store.initialize(seed: 1)
    let pattern = (0..<2048 * width).map { Float($0 % 1021 - 510) * 1e-3 }
    for table in tables { store.set(table, to: pattern) }
    let before = backend.memory
    let tape = Tape.training(backend, seed: 3, step: 1)
    let indices = backend.makeIndices((0..<rows).map { $0 * 7 % 2048 })
    var x = tape.gather(tables[0].tensor, indices)
    for layer in 0..<layers {
      let sum = tape.gatherSum([(x, nil), (tables[layer].tensor, indices)])
      if releases { tape.release(x) }
      x = tape.layerNorm(
        sum, gammas[layer].tensor, betas[layer].tensor, epsilon: 1e-5, outerDropout: 0.1)
    }
    _ = tape.distances(
      x,
      targets: backend.makeTensor(
        [Float](repeating: 0.5, count: x.count), rows: x.rows, columns: x.columns), weight: 0.1)
    let held = backend.memory.now - before.now
    tape.backward()
    let gradients = store.parameters.map { parameter in
      parameter.gradient.map { backend.values(of: $0).withUnsafeBytes { Data($0) } } ?? Data()
    }
    return Outcome(gradients: gradients, bytes: backend.memory.peak - before.peak, held: held)
  }

  @Test(arguments: [Precision.fp32, .bf16]) func normsAreMadeAgain(_ precision: Precision) throws {
    let (rows, width) = (2048, 1024)
    let kept = try update(precision, releases: false, rows: rows, width: width)
    let again = try update(precision, releases: true, rows: rows, width: width)
    #expect(kept.gradients == again.gradients && kept.gradients.allSatisfy { !$0.isEmpty })
    // Releasing frees the results of all norms but the last.
    let size = precision == .fp32 ? 4 : 2
    #expect(again.held <= kept.held - 4 * rows * width * size, "\(again.held) of \(kept.held) bytes")
    #expect(again.bytes <= kept.bytes, "\(again.bytes) of \(kept.bytes) bytes")
  }
}
