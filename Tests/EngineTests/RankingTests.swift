import Foundation
import Testing

@testable import Engine

/// The ranking losses against sums over all pairs in double precision.
@Suite(.serialized) struct RankingTests {
  private struct Case {
    var slots: [Int]
    var queriesPerSlot = 1
    var videos: Int
    var kind = RankingKind.hinge
    var hardPool: (size: Int, weight: Float)?
    var drawn: [Int]?
  }

  /// Returns the context loss and the query loss.
  private func referee(_ scores: Matrix, _ c: Case) -> (Double, Double) {
    let queries = c.slots.count * c.queriesPerSlot
    func loss(_ negative: Double, _ positive: Double) -> Double {
      c.kind == .hinge ? max(0, 0.1 + negative - positive) : log(1 + exp(negative - positive))
    }
    func mean(_ negatives: [Double], _ positive: Double, _ drawn: Int?) -> Double {
      let sorted = negatives.sorted(by: >)
      if let drawn { return loss(sorted[drawn], positive) }
      return sorted.enumerated().reduce(0) { total, entry in
        let weight = c.hardPool.map { entry.offset < $0.size ? Double($0.weight) : Double(Float(0.1)) } ?? 1
        return total + weight * loss(entry.element, positive)
      } / Double(sorted.count)
    }
    var (context, query) = (0.0, 0.0)
    for m in 0..<queries {
      let slot = m / c.queriesPerSlot
      let positive = scores[m, c.slots[slot]]
      let videos = c.slots.indices.filter { $0 != slot }.map { scores[m, c.slots[$0]] }
      context += mean(videos, positive, c.drawn?[m])
      let others = (0..<queries).filter { $0 / c.queriesPerSlot != slot }.map { scores[$0, c.slots[slot]] }
      query += mean(others, positive, c.drawn?[queries + slot])
    }
    return (context / Double(queries), query / Double(queries))
  }

  private func check(_ c: Case, sourceLocation: SourceLocation = #_sourceLocation) throws {
    let scores = Matrix.random(c.slots.count * c.queriesPerSlot, c.videos, scale: 0.5, seed: 4)
    let weights = (context: Float(8), query: Float(3))
    func total(_ m: Matrix) -> Double {
      let (context, query) = referee(m, c)
      return Double(weights.context) * context + Double(weights.query) * query
    }
    let (context, query) = referee(scores, c)
    try Backends.forEach { backend in
      let x = leaf(scores, on: backend)
      let tape = Tape.training(backend, seed: 1, step: 1)
      let losses = tape.ranking(
        RankingInput(
          scores: x, slots: backend.makeIndices(c.slots), queriesPerSlot: c.queriesPerSlot, kind: c.kind,
          margin: 0.1,
          hardPool: c.hardPool, drawn: c.drawn.map { backend.makeIndices($0) }), weights: weights)
      let found = backend.numbers(of: [losses])
      #expect(abs(found[0] - context) <= 1e-5 * max(1, context), sourceLocation: sourceLocation)
      #expect(abs(found[1] - query) <= 1e-5 * max(1, query), sourceLocation: sourceLocation)
      tape.backward()
      let gradient = x.gradient.map { backend.values(of: $0) } ?? []
      for place in gradient.indices {
        var (up, down) = (scores, scores)
        up.values[place] += 1e-6
        down.values[place] -= 1e-6
        let slope = (total(up) - total(down)) / 2e-6
        #expect(abs(Double(gradient[place]) - slope) <= 1e-4, sourceLocation: sourceLocation)
      }
    }
  }

  @Test(arguments: RankingKind.allCases) func allNegatives(kind: RankingKind) throws {
    try check(Case(slots: [0, 1, 2, 3], videos: 4, kind: kind))
    try check(Case(slots: [2, 0, 1], queriesPerSlot: 5, videos: 3, kind: kind))
  }

  /// A video with two queries is a negative of itself.
  @Test func sharedVideo() throws { try check(Case(slots: [0, 1, 1, 2], videos: 3)) }

  @Test(arguments: RankingKind.allCases) func hardNegatives(kind: RankingKind) throws {
    try check(Case(slots: [0, 1, 2, 3, 4], videos: 5, kind: kind, hardPool: (2, 10)))
    try check(Case(slots: [0, 1, 2], queriesPerSlot: 2, videos: 3, kind: kind, hardPool: (9, 10)))
  }

  @Test func drawnNegatives() throws {
    try check(Case(slots: [0, 1, 2, 3], videos: 4, kind: .lse, drawn: [0, 2, 1, 0, 2, 0, 1, 1]))
  }

  /// A single video has no negatives, so its losses are 0.
  @Test func oneVideo() throws {
    let backend = try CPUBackend(threads: 1)
    let x = leaf(.random(3, 1, seed: 1), on: backend)
    let tape = Tape.training(backend, seed: 1, step: 1)
    let losses = tape.ranking(
      RankingInput(
        scores: x, slots: backend.makeIndices([0]), queriesPerSlot: 3, kind: .hinge, margin: 0.1),
      weights: (1, 1))
    tape.backward()
    #expect(backend.numbers(of: [losses]) == [0, 0])
    #expect(x.gradient.map { backend.values(of: $0) } == [0, 0, 0])
  }
}
