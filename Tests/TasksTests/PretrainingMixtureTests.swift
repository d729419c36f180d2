import Engine
import Formats
import Model
import TestSupport
import Testing

@testable import Tasks

@Suite("The mixture of pre-training")
struct PretrainingMixtureTests {
  private static let ratios = [2, 2, 0, 1, 2]

  private func mixture() throws -> Mixture {
    let model = try RetrievalGoldenTests.model("pretrain", PretrainingModel.self)
    return try Mixture(
      "pretrain",
      paired(PretrainingObjective.allCases, Self.ratios).map { objective, ratio in
        Mixture.Entry(try PretrainingCorpus.source(objective, model), ratio: ratio)
      })
  }

  @Test func drawsFollowTheRatios() throws {
    let (all, draws) = (try SourceDraws(ratios: Self.ratios), 100_000)
    var counts = [Int](repeating: 0, count: Self.ratios.count)
    for update in 0..<draws {
      let (source, earlier) = all.draw(update: update, seed: 5)
      #expect(earlier == counts[source])
      counts[source] += 1
    }
    for (count, ratio) in paired(counts, Self.ratios) {
      let share = Double(ratio) / Double(Self.ratios.reduce(0, +))
      let deviation = (share * (1 - share) / Double(draws)).squareRoot()
      #expect(abs(Double(count) / Double(draws) - share) <= 5 * deviation)
    }
  }

  /// A draw has the same bits as one from a list that repeats every source by its ratio.
  @Test func drawsAreThoseOfAList() throws {
    let list = Self.ratios.indices.flatMap { [Int](repeating: $0, count: Self.ratios[$0]) }
    let draws = try SourceDraws(ratios: Self.ratios)
    for update in 0..<1_000 {
      var random = RandomStream(seed: 5, step: UInt64(update), for: .mixture)
      let source = list[Int.random(in: list.indices, using: &random)]
      #expect(draws.draw(update: update, seed: 5).source == source)
    }
  }

  /// A source that is never drawn may be absent, and the others keep their items.
  @Test func undrawnSourcesMayBeAbsent() throws {
    let whole = try mixture()
    let drawn = Self.ratios.indices.filter { Self.ratios[$0] > 0 }
    let rest = try Mixture(
      whole.name,
      drawn.map { Mixture.Entry(whole.entries[$0].source, ratio: Self.ratios[$0], number: $0) })
    let plan = BatchPlan(batchSize: 3, batchesPerUpdate: 2, seed: 11)
    let (all, fewer) = (whole.reading(plan), rest.reading(plan))
    for number in 0..<24 {
      let (one, other) = (try all(number), try fewer(number))
      #expect(one.source == drawn[other.source])
      let same = Mixture.Batch(source: one.source, input: other.input)
      #expect(try Self.describe(one) == Self.describe(same))
    }
  }

  /// Ratios take no memory, and a sum that overflows is an error.
  @Test func ratiosMayBeLarge() throws {
    let draws = try SourceDraws(ratios: [1 << 61, 0, 1 << 61])
    let sources = Set((0..<100).map { draws.draw(update: $0, seed: 1).source })
    #expect(sources == [0, 2])
    #expect(throws: DataError.self) { try SourceDraws(ratios: [.max, 1]) }
  }

  @Test func theSummaryNamesTheShares() throws {
    let count = try PretrainingCorpus.videos().count
    let summary = try mixture().summary
    #expect(summary.hasPrefix("mlm_tv_all \(count) videos (29 %), mfm-nce_tv_all \(count) videos (29 %)"))
    #expect(summary.hasSuffix("vsm_tv_all \(count) videos (29 %)"))
  }

  /// A resumed run gets the batches that the original run would have got.
  @Test func batchesAreAFunctionOfTheirNumber() throws {
    let plan = BatchPlan(batchSize: 3, batchesPerUpdate: 2, seed: 11)
    let whole = try mixture().reading(plan)
    let batches = try (0..<24).map { try whole($0) }
    let resumed = try mixture().reading(plan)
    for number in [23, 10, 11, 4] {
      #expect(try Self.describe(resumed(number)) == Self.describe(batches[number]))
    }
    for update in 0..<12 {
      let (first, second) = (batches[2 * update], batches[2 * update + 1])
      #expect(first.source == second.source, "an update has one source")
      #expect(try Self.describe(first) != Self.describe(second))
    }
    let other = try mixture().reading(BatchPlan(batchSize: 3, batchesPerUpdate: 2, seed: 12))
    #expect(try Self.describe(other(0)) != Self.describe(batches[0]))
  }

  /// Returns the contents of a batch's tensors.
  private static func describe(_ batch: Mixture.Batch) throws -> String {
    let backend = try CPUBackend(threads: 1)
    func values(_ part: Any) -> String {
      if let tensor = part as? Tensor { return "\(backend.values(of: tensor))" }
      if let indices = part as? Indices { return "\(backend.values(of: indices))" }
      let children = Mirror(reflecting: part).children
      return children.isEmpty ? "\(part)" : children.map { values($0.value) }.joined(separator: ",")
    }
    return "\(batch.source) \(values(batch.input as Any))"
  }

  /// A sole source has the batches of its own loader; in a mixture it has others.
  @Test func aSoleSourceKeepsTheRunsSeed() throws {
    let source = try PretrainingCorpus.source(PretrainingObjective.allCases[0])
    let plan = BatchPlan(batchSize: 3, batchesPerUpdate: 2, seed: 11)
    let alone = Mixture(source)
    let mixed = try Mixture("mixed", [Mixture.Entry(source, ratio: 1)])
    let own = try own(source, 5, of: plan)
    #expect(try Self.describe(alone.reading(plan)(5)) == own)
    #expect(try Self.describe(mixed.reading(plan)(5)) != own)
  }

  private func own<S: Source>(_ source: S, _ number: Int, of plan: BatchPlan) throws -> String {
    let input = try source.loader.batch(number, of: plan).map {
      $0.prepared(for: source.configuration, on: source.store.backend)
    }
    return try Self.describe(Mixture.Batch(source: 0, input: input))
  }

  /// A source with its own batch size reads that many items a batch.
  @Test func aSourceMayHaveItsOwnBatchSize() throws {
    let source = try PretrainingCorpus.source(PretrainingObjective.allCases[0])
    let plan = BatchPlan(batchSize: 3, seed: 11)
    let mixture = try Mixture("mixed", [Mixture.Entry(source, ratio: 1, batchSize: 1)])
    #expect(mixture.batchSize(of: 0, in: plan) == 1)
    let counts = try [mixture, Mixture("mixed", [Mixture.Entry(source, ratio: 1)])].map {
      $0.counts(of: try $0.reading(plan)(0))[.targets] ?? 0
    }
    #expect(counts[0] < counts[1])
  }

  @Test func nothingToDrawIsRefused() throws {
    let source = try PretrainingCorpus.source(PretrainingObjective.allCases[0])
    #expect(throws: DataError.self) { try Mixture("none", [Mixture.Entry(source, ratio: 0)]) }
    #expect(throws: DataError.self) { try Mixture("none", []) }
  }

  @Test func lossesAreNamedByTheirSource() throws {
    for objective in PretrainingObjective.allCases {
      let source = try PretrainingCorpus.source(objective)
      let parts = try Self.losses(of: source, items: [0, 1, 2])
      let names =
        objective.name == "vsm"
        ? ["st_ed", "neg_ctx", "neg_q"].map { "\(source.name)_\($0)" } : [source.name]
      #expect(parts.map { source.label(of: $0) } == names)
      #expect(parts.total.isFinite && parts.total > 0)
    }
  }

  /// Returns a batch's losses without dropout.
  private static func losses<S: Source>(of source: S, items: [Int]) throws -> [LossPart<Float>] {
    let backend = source.store.backend
    let batch = try #require(
      try source.loader.batch(of: items, random: RandomStream(seed: 0, step: 0, for: .validationBatch)))
    var random = RandomStream(seed: 1, stream: 2)
    let input = batch.prepared(for: source.configuration, on: backend)
    return source.loss(.inference(backend), input, update: 0, random: &random).read(on: backend)
  }

  @Test(arguments: [
    ("mlm", ["loss", "acc"]), ("mffr", ["loss", "cosine"]), ("mfm-nce", ["loss", "acc", "l2", "cosine"]),
    ("fom", ["loss", "acc"]), ("vsm", ["loss_overall", "loss_st_ed", "loss_neg_ctx", "loss_neg_q"]),
  ])
  func validationMeasuresWhatTheReferenceDoes(_ objective: String, _ names: [String]) throws {
    let source = try PretrainingCorpus.source(try #require(PretrainingObjective(name: objective)))
    func measure() throws -> [(name: String, value: Double)] {
      try source.measure(batchSize: source.videoCount, among: SoleCommunicator.shared) { _ in }
    }
    let measures = try measure()
    #expect(measures.map(\.name) == names)
    #expect(measures.allSatisfy { $0.value.isFinite })
    #expect(try measure().map(\.value) == measures.map(\.value))
    // The mean loss of one batch of everything equals the training loss.
    let loss = try Self.losses(of: source, items: Array(0..<source.videoCount)).total
    #expect(abs(measures[0].value - Double(loss)) <= 1e-5 * abs(Double(loss)))
  }

  @Test func accuracyDistanceAndCosine() throws {
    var sums = PretrainingSums()
    sums.add(choices: [0, 1, 0], targets: [0, 0, 0], losses: [1, 2, 3])
    #expect(sums.correct == 2 && sums.loss == 6 && sums.count == 3)
    let backend = try CPUBackend(threads: 1)
    sums.add(
      backend.makeTensor([3, 4, 0, 2], rows: 2, columns: 2),
      targets: backend.makeTensor([0, 0, 0, 1], rows: 2, columns: 2), on: backend)
    #expect(sums.distance == 6 && sums.cosine == 1)
  }
}
