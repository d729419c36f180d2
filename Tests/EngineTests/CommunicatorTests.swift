import TestSupport
import Testing

@testable import Engine

/// Collectives of ranks, which are threads here in place of processes.
struct CommunicatorTests {
  @Test(arguments: [1, 2, 3, 5]) func collectives(size: Int) throws {
    let found = try ThreadRanks.run(size) { ranks in
      let own = Double(ranks.rank + 1)
      let bytes = ranks.gather([UInt8](repeating: UInt8(ranks.rank), count: 3 * ranks.rank))
      let rows = ranks.gather(
        [Int32](repeating: Int32(ranks.rank), count: ranks.rank), counts: Array(0..<size))
      return (
        sum: ranks.sum([own, 1]), largest: ranks.maximum([own, -own]), bytes: bytes, rows: rows,
        first: ranks.broadcast([own]), part: ranks.part(of: 7)
      )
    }
    for result in found {
      #expect(result.sum == [Double(size * (size + 1) / 2), Double(size)])
      #expect(result.largest == [Double(size), -1])
      #expect(result.bytes == (0..<size).map { [UInt8](repeating: UInt8($0), count: 3 * $0) })
      #expect(result.rows == (0..<size).flatMap { [Int32](repeating: Int32($0), count: $0) })
      #expect(result.first == [1])
    }
    #expect(found.flatMap { Array($0.part) } == Array(0..<7))
  }

  /// Every rank gets the rows of all ranks, one below the other.
  ///
  /// `gatherRows` sums the gradients of all ranks' uses of them. `shareRows` takes one rank's,
  /// since all use them alike.
  @Test func gatheredRows() throws {
    let counts = [2, 0, 1]
    let found = try ThreadRanks.run(3) { ranks in
      let backend = try CPUBackend(threads: 1)
      let store = ParameterStore(backend: backend)
      let weight = store.add("weight", [3, 2], .constant(1))
      store.initialize(seed: 1)
      let tape = Tape.training(backend, seed: 1, step: 0, communicator: ranks)
      let own = (0..<counts[ranks.rank]).map { Int32($0) }
      let x = tape.gather(weight.tensor, backend.makeIndices(own))
      let all = tape.gatherRows(x, counts: counts)
      let shared = tape.shareRows(x, counts: counts)
      // Each rank weights the gathered rows by its own factor, and all ranks the shared rows by
      // one.
      for (rows, factor) in [(all, Float(1 + ranks.rank)), (shared, 10)] {
        let zero = backend.makeTensor([Float](repeating: 0, count: 6), rows: 3, columns: 2)
        _ = tape.distances(tape.scale(rows, by: 1), targets: zero, weight: factor)
      }
      tape.backward()
      return (rows: all.rows, gradient: weight.gradient.map { backend.values(of: $0) })
    }
    #expect(found.allSatisfy { $0.rows == 3 })
    // d‖(1, 1)‖ is 1/√2 in each element.
    let each = (1 + 2 + 3 + 10) / Float(2).squareRoot()
    for (rank, result) in found.enumerated() {
      guard counts[rank] > 0 else {
        #expect(result.gradient?.allSatisfy { $0 == 0 } ?? true)
        continue
      }
      let gradient = try #require(result.gradient)
      for (place, value) in gradient.enumerated() {
        #expect(abs(value - (place < 2 * counts[rank] ? each : 0)) < 1e-5)
      }
    }
  }

  /// Every rank gets the sum of all ranks' gradients, whatever the bucket size.
  ///
  /// A parameter that some rank uses has a gradient on all ranks.
  @Test(arguments: [1, 5, 1 << 20]) func gradientsAreAddedUp(bucketSize: Int) throws {
    let found = try ThreadRanks.run(3) { ranks in
      let backend = try CPUBackend(threads: 1)
      let store = ParameterStore(backend: backend)
      let parameters = ["a", "b", "c", "d", "e"].map { store.add($0, [3], .constant(0)) }
      store.initialize(seed: 1)
      let exchange = GradientExchange(store, communicator: ranks, bucketSize: bucketSize)
      // Rank r uses parameters 0 … r. Parameter 3 has its gradient from an earlier batch, on rank 0
      // only.
      let use = { (tape: Tape, parameter: Parameter) in
        let target = backend.makeTensor([Float(ranks.rank + 1), 0, 0], rows: 1, columns: 3)
        _ = tape.distances(tape.gatherSum([(parameter.tensor, nil)]), targets: target, weight: 1)
      }
      if ranks.isFirst {
        let earlier = Tape.training(backend, seed: 1, step: 0, communicator: ranks)
        use(earlier, parameters[3])
        earlier.backward()
      }
      let tape = Tape.training(backend, seed: 1, step: 0, part: 1, communicator: ranks)
      for parameter in parameters.prefix(ranks.rank + 1) { use(tape, parameter) }
      exchange.backward(ranks.rank == 0 ? nil : tape)
      return parameters.map { $0.gradient.map { backend.values(of: $0) } }
    }
    // Rank 0 had no tape for its backward pass.
    for gradients in found {
      #expect(gradients == [[-2, 0, 0], [-2, 0, 0], [-1, 0, 0], [-1, 0, 0], nil])
    }
  }

  @Test func streamsFollowOneAnother() {
    for step: UInt64 in [0, 7, (1 << 32) - 2] {
      var moved = RandomStream(seed: 3, step: step, stream: 5)
      _ = moved.next()
      var (a, b) = (moved.following(3), RandomStream(seed: 3, step: step + 3, stream: 5))
      #expect((0..<9).map { _ in a.next() } == (0..<9).map { _ in b.next() })
    }
    #expect(RandomStream.seed(42, of: 0) == 42)
    #expect(Set((0..<100).map { RandomStream.seed(42, of: $0) }).count == 100)
  }

  /// Ranks drop different elements of a tensor, and the first rank drops those of a single process.
  @Test func ranksDropOtherElements() throws {
    let masks = try ThreadRanks.run(3) { ranks in
      let backend = try CPUBackend(threads: 1)
      let tape = Tape.training(backend, seed: 4, step: 9, communicator: ranks)
      return backend.values(of: tape.dropoutFactors(64, 64, probability: 0.5))
    }
    let backend = try CPUBackend(threads: 1)
    let alone = Tape.training(backend, seed: 4, step: 9)
    #expect(masks[0] == backend.values(of: alone.dropoutFactors(64, 64, probability: 0.5)))
    for (a, b) in [(0, 1), (0, 2), (1, 2)] {
      let same = paired(masks[a], masks[b]).count { $0 == $1 }
      #expect(abs(same - 2048) < 200)
    }
  }
}
