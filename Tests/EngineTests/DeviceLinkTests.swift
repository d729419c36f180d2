import CUDAEmulation
import TestSupport
import Testing

@testable import Engine

/// Linked GPUs of several ranks, which are threads here.
///
/// The emulated NCCL ends the process if ranks call it in different orders.
struct DeviceLinkTests {
  /// Opens a rank's device and links it to the others'.
  private static func device(_ ranks: any Communicator, _ precision: Precision = .fp32) throws -> CUDABackend
  {
    let backend = try CUDABackend(hero_cuda_emulation().pointee, precision: precision)
    try Device.link(backend, among: ranks) { Issue.record("no link: \($0)") }
    return backend
  }

  @Test(arguments: [1, 2, 3]) func collectives(size: Int) throws {
    let found = try ThreadRanks.run(size) { ranks in
      let backend = try Self.device(ranks)
      let link = try #require(backend.link)
      let own = Float(ranks.rank + 1)
      let first = backend.makeTensor([own, own], rows: 1, columns: 2)
      link.broadcast(first)
      let sum = backend.makeTensor([own, 1], rows: 1, columns: 2)
      let beside = backend.makeTensor([own, 2], rows: 1, columns: 2)
      let halves = Tensor(rows: 1, columns: 2, storage: backend.makeStorage(count: 2, type: .bfloat16))
      backend.run(Fill(halves, with: own))
      let sums = backend.makeSums()
      backend.run(Fill(sums, with: own))
      link.beginSum(beside)
      link.sum(sum)
      link.sum(halves)
      link.sum(sums)
      link.finishSums()
      backend.run(Scale(beside, by: 2))
      // Rank r has r rows.
      let rows = backend.makeTensor(
        [Float](repeating: own, count: 3 * ranks.rank), rows: ranks.rank, columns: 3)
      let all = link.gatherRows(rows, counts: Array(0..<size))
      return (
        first: backend.values(of: first), sum: backend.values(of: sum), beside: backend.values(of: beside),
        halves: backend.values(of: halves), sums: backend.numbers(of: [sums]).first,
        all: backend.values(of: all), summary: link.summary
      )
    }
    let total = Float(size * (size + 1) / 2)
    var rows: [Float] = []
    for rank in 0..<size { rows += [Float](repeating: Float(rank + 1), count: 3 * rank) }
    for result in found {
      #expect(result.first == [1, 1])
      #expect(result.sum == [total, Float(size)])
      #expect(result.beside == [2 * total, 4 * Float(size)])
      #expect(result.halves == [total, total])
      #expect(result.sums == Double(total))
      #expect(result.all == rows)
      #expect(result.summary == "NCCL 2.27.3")
    }
  }

  /// A rank with an empty part of the batch sums gradients in the others' order, though it is done
  /// with all parameters at once.
  ///
  /// No rank copies gradients to the host or waits for them.
  @Test(arguments: [1, 1 << 20]) func gradients(bucketSize: Int) throws {
    let counts = [2, 0, 1]
    let found = try ThreadRanks.run(3) { ranks in
      let backend = try Self.device(ranks)
      let store = ParameterStore(backend: backend)
      let weights = ["a", "b", "c"].map { store.add($0, [3, 2], .constant(1)) }
      store.initialize(seed: 1)
      let exchange = GradientExchange(store, communicator: ranks, bucketSize: bucketSize)
      let tape = Tape.training(backend, seed: 1, step: 0, communicator: ranks)
      let own = backend.makeIndices((0..<counts[ranks.rank]).map { Int32($0) })
      let factor = Float(1 + ranks.rank)
      let before = hero_cuda_emulation_count()
      for weight in weights {
        let rows =
          counts[ranks.rank] > 0 ? tape.gather(weight.tensor, own) : backend.makeTensor(rows: 0, columns: 2)
        let all = tape.gatherRows(rows, counts: counts)
        let zero = backend.makeTensor(rows: 3, columns: 2)
        backend.run(Fill(zero, with: 0))
        _ = tape.distances(tape.scale(all, by: 1), targets: zero, weight: factor)
      }
      exchange.backward(tape)
      let after = hero_cuda_emulation_count()
      #expect(after.waits == before.waits && after.downloads == before.downloads)
      return weights.map { $0.gradient.map { backend.values(of: $0) } }
    }
    // Rank 0 uses rows 0 and 1, and rank 2 row 0. The ranks' factors sum to 6, and d‖(1, 1)‖ is
    // 1/√2.
    let each = 6 / Float(2).squareRoot()
    for gradients in found {
      #expect(gradients == found[0])
      for gradient in gradients {
        let values = try #require(gradient)
        let uses: [Float] = [2, 2, 1, 1, 0, 0]
        for (value, uses) in paired(values, uses) { #expect(abs(value - uses * each) < 1e-5) }
      }
    }
  }

  /// Of a table's gradient only rows that some rank reads are exchanged, unless a rank reads all of
  /// it.
  ///
  /// This holds between linked GPUs, through the host, and between CPUs.
  @Test(arguments: ["linked", "apart", "cpu"], [false, true])
  func tablesTravelByRows(kind: String, isReadWhole: Bool) throws {
    let named: [[Int32]] = [[5, 2000, 5, -1], [], [7, 5]]
    let found = try ThreadRanks.run(3) { ranks in
      let backend: any Backend
      switch kind {
      case "linked": backend = try Self.device(ranks)
      case "apart": backend = try CUDABackend(hero_cuda_emulation().pointee)
      default: backend = try CPUBackend(threads: 1)
      }
      let store = ParameterStore(backend: backend)
      let table = store.add("words", [2048, 3], .constant(1))
      let other = store.add("other", [4, 3], .constant(1))
      store.initialize(seed: 1)
      let exchange = GradientExchange(store, communicator: ranks)
      var gradients: [[Float]] = []
      for step in 0..<2 {
        let tape = Tape.training(backend, seed: 1, step: UInt64(step), communicator: ranks)
        for indices in [named[ranks.rank], Array(named[ranks.rank].reversed())] where !indices.isEmpty {
          let rows = tape.gather(table.tensor, backend.makeIndices(indices))
          let zero = backend.makeTensor([Float](repeating: 0, count: rows.count), rows: rows.rows, columns: 3)
          _ = tape.distances(rows, targets: zero, weight: Float(1 + ranks.rank))
        }
        if isReadWhole, ranks.rank == 1 {
          let zero = backend.makeTensor([Float](repeating: 0, count: 2048 * 3), rows: 2048, columns: 3)
          _ = tape.distances(tape.scale(table.tensor, by: 1), targets: zero, weight: 0.5)
        }
        let zero = backend.makeTensor([Float](repeating: 0, count: 12), rows: 4, columns: 3)
        _ = tape.distances(tape.scale(other.tensor, by: 1), targets: zero, weight: 1)
        exchange.backward(tape)
        for parameter in [table, other] {
          gradients.append(backend.values(of: try #require(parameter.gradient)))
        }
        store.clearGradients()
      }
      return (gradients, exchange.timing.bytes)
    }
    // d‖(1, 1, 1)‖ is 1/√3. Both uses count, and the steps are alike.
    let each = 1 / Float(3).squareRoot()
    var uses = [Float](repeating: isReadWhole ? 0.5 : 0, count: 2048)
    for (rank, rows) in named.enumerated() {
      for row in rows where row >= 0 { uses[Int(row)] += 2 * Float(1 + rank) }
    }
    for (gradients, bytes) in found {
      #expect(gradients == found[0].0)
      for (place, gradient) in gradients.enumerated() {
        let wanted = place % 2 == 0 ? uses : [3, 3, 3, 3]
        try #require(gradient.count == 3 * wanted.count)
        for (element, value) in gradient.enumerated() {
          #expect(abs(value - wanted[element / 3] * each) < 1e-5)
        }
      }
      #expect(bytes == 2 * 4 * 3 * (4 + (isReadWhole ? 2048 : 3)))
    }
  }

  @Test func whoCannotBeLinkedIsNamed() throws {
    func reasons(_ make: @escaping @Sendable (Int) throws -> any Backend) throws -> [String] {
      try ThreadRanks.run(2) { ranks in
        var reason = "none"
        let backend = try make(ranks.rank)
        try Device.link(backend, among: ranks) { reason = $0 }
        #expect(backend.link == nil)
        return reason
      }
    }
    @Sendable func device(hasNCCL: Bool) throws -> any Backend {
      var functions = hero_cuda_emulation().pointee
      if !hasNCCL { functions.ranks_version = nil }
      return try CUDABackend(functions)
    }
    let host = "Gradients go through the host's memory: "
    let processors = try reasons { _ in try CPUBackend(threads: 1) }
    #expect(processors == ["none", "none"])
    let mixed = try reasons { rank in try rank == 0 ? device(hasNCCL: true) : CPUBackend(threads: 1) }
    #expect(mixed == [String](repeating: host + "rank 1 computes on the CPU.", count: 2))
    let without = try reasons { rank in try device(hasNCCL: rank == 1) }
    #expect(without == [String](repeating: host + "rank 0 has no NCCL (see `hero devices`).", count: 2))
  }
}
