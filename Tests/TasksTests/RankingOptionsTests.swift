import Engine
import Testing

@testable import Tasks

/// The choice of negatives, and when it changes.
struct RankingOptionsTests {
  private func drawn(
    _ options: RankingOptions, slots: Int, queriesPerSlot: Int = 1, step: UInt64 = 0
  ) throws -> [Int]? {
    let backend = try CPUBackend(threads: 1)
    var random = RandomStream(seed: 5, step: step, for: .loss)
    return options.input(
      scores: backend.makeTensor(rows: slots * queriesPerSlot, columns: slots),
      slots: backend.makeIndices(0..<slots), queriesPerSlot: queriesPerSlot, on: backend, random: &random
    ).drawn.map { backend.values(of: $0).map { Int($0) } }
  }

  /// One negative is drawn for each query among the other videos, and one for each video.
  ///
  /// A video's negative is a query of another video. All are equally likely.
  @Test func oneIsDrawnOfAll() throws {
    var options = RankingOptions()
    options.useAllNegatives = false
    var counts = [[Int]](repeating: [0, 0, 0], count: 4)
    for step in 0..<3000 {
      let ranks = try #require(try drawn(options, slots: 4, step: UInt64(step)))
      #expect(ranks.count == 8)
      for query in 0..<4 { counts[query][ranks[query]] += 1 }
    }
    #expect(counts.joined().allSatisfy { (850...1150).contains($0) })
    let shared = try #require(try drawn(options, slots: 3, queriesPerSlot: 5))
    #expect(shared.count == 18 && shared[15...].allSatisfy { (0..<10).contains($0) })
  }

  /// With hard negatives, draws come only from the pool.
  @Test func oneIsDrawnOfThePool() throws {
    var options = RankingOptions()
    (options.useAllNegatives, options.useHardNegatives, options.hardPoolSize) = (false, true, 2)
    var seen: Set<Int> = []
    for step in 0..<100 {
      seen.formUnion(try #require(try drawn(options, slots: 9, step: UInt64(step))))
    }
    #expect(seen == [0, 1])
  }

  @Test func nothingIsDrawnWhereAllCount() throws {
    #expect(try drawn(RankingOptions(), slots: 4) == nil)
  }

  /// The span loss and the stages of hard negatives start at their updates.
  @Test func curriculum() {
    var curriculum = RetrievalCurriculum()
    curriculum.spanStart = 10
    curriculum.hardNegatives = [(20, 40, 5), (30, 20, 10), (-1, 1, 99)]
    let base = RetrievalLossOptions()
    let stages = [0, 9, 10, 19, 20, 29, 30, 1000].map { curriculum.options(base, update: $0) }
    #expect(stages.map { $0.spanWeight != 0 } == [false, false] + [Bool](repeating: true, count: 6))
    #expect(
      stages.map(\.ranking.useHardNegatives) == [Bool](repeating: false, count: 4)
        + [Bool](repeating: true, count: 4))
    #expect(stages[4...].map(\.ranking.hardPoolSize) == [40, 40, 20, 20])
    #expect(stages[4...].map(\.ranking.hardNegativeWeight) == [5, 5, 10, 10])
    curriculum.spanStart = -1
    #expect(curriculum.options(base, update: 1000).spanWeight == 0)
  }
}
