import Engine
import Model
import TestSupport
import Testing

@testable import Tasks

@Suite("The mixture of pre-training")
struct PretrainingMixtureTests {
  private static let ratios = [2, 2, 0, 1, 2]

  private func mixture() throws -> PretrainingMixture {
    try PretrainingMixture(
      zip(PretrainingObjective.allCases, Self.ratios).map { objective, ratio in
        PretrainingSource(
          name: "\(objective.rawValue)_tv_all", ratio: ratio,
          loader: try PretrainingCorpus.loader(objective))
      })
  }

  @Test func drawsFollowTheRatios() throws {
    let (mixture, draws) = (try mixture(), 100_000)
    var counts = [Int](repeating: 0, count: Self.ratios.count)
    for update in 0..<draws {
      let (source, earlier) = mixture.draw(update: update, seed: 5)
      #expect(earlier == counts[source])
      counts[source] += 1
    }
    for (count, ratio) in zip(counts, Self.ratios) {
      let share = Double(ratio) / Double(Self.ratios.reduce(0, +))
      let deviation = (share * (1 - share) / Double(draws)).squareRoot()
      #expect(abs(Double(count) / Double(draws) - share) <= 5 * deviation)
    }
  }

  @Test func theSummaryNamesTheShares() throws {
    let count = try PretrainingCorpus.videos().count
    let summary = try mixture().summary
    #expect(summary.hasPrefix("mlm_tv_all \(count) videos (29 %), mfm-nce_tv_all \(count) videos (29 %)"))
    #expect(summary.hasSuffix("vsm_tv_all \(count) videos (29 %)"))
  }

  /// What a resumed run gets is what the run it resumes would have got.
  @Test func batchesAreAFunctionOfTheirNumber() throws {
    let plan = BatchPlan(batchSize: 3, batchesPerUpdate: 2, seed: 11)
    let whole = try mixture()
    let batches = try (0..<24).map { try whole.batch($0, of: plan) }
    let resumed = try mixture()
    for number in [23, 10, 11, 4] {
      #expect("\(try resumed.batch(number, of: plan) as Any)" == "\(batches[number] as Any)")
    }
    for update in 0..<12 {
      let sources = batches[2 * update...2 * update + 1].map { $0?.source }
      #expect(sources[0] == sources[1], "an update has one task")
      #expect("\(batches[2 * update] as Any)" != "\(batches[2 * update + 1] as Any)")
    }
    let other = try whole.batch(0, of: BatchPlan(batchSize: 3, batchesPerUpdate: 2, seed: 12))
    #expect("\(other as Any)" != "\(batches[0] as Any)")
  }

  @Test func nothingToDrawIsRefused() throws {
    let source = PretrainingSource(name: "mlm_tv_all", ratio: 0, loader: try PretrainingCorpus.loader(.mlm))
    #expect(throws: (any Error).self) { try PretrainingMixture([source]) }
    #expect(throws: (any Error).self) { try PretrainingMixture([]) }
  }

  private func learning() throws -> PretrainingLearning {
    var curriculum = RetrievalCurriculum()
    curriculum.spanStart = 0
    return PretrainingLearning(
      model: try RetrievalGoldenTests.model("pretrain", PretrainingModel.self), mixture: try mixture(),
      ranking: try RetrievalGoldenTests.options(), curriculum: curriculum)
  }

  @Test func lossesAreNamedByTheirSource() throws {
    let learning = try learning()
    for (source, objective) in PretrainingObjective.allCases.enumerated() {
      let loader = learning.trainingLoader.sources[source].loader
      let content = try #require(
        try loader.batch(of: [0, 1, 2], random: RandomStream(seed: 1, stream: 1)))
      var random = RandomStream(seed: 1, stream: 2)
      let parts = learning.measured(source, content, &random)
      let name = "\(objective.rawValue)_tv_all"
      let names = objective == .vsm ? ["st_ed", "neg_ctx", "neg_q"].map { "\(name)_\($0)" } : [name]
      #expect(parts.map(\.name) == names)
      #expect(parts.total.isFinite && parts.total > 0)
    }
  }

  @Test(arguments: [
    (PretrainingObjective.mlm, ["loss", "acc"]), (.mffr, ["loss", "cosine"]),
    (.mfmNCE, ["loss", "acc", "l2", "cosine"]), (.fom, ["loss", "acc"]),
    (.vsm, ["loss_overall", "loss_st_ed", "loss_neg_ctx", "loss_neg_q"]),
  ])
  func validationMeasuresWhatTheReferenceDoes(
    _ objective: PretrainingObjective, _ names: [String]
  ) throws {
    let (learning, loader) = (try learning(), try PretrainingCorpus.loader(objective))
    let measures = try learning.validate(loader, batchSize: loader.itemCount)
    #expect(measures.map(\.name) == names)
    #expect(measures.allSatisfy { $0.value.isFinite })
    for (name, value) in measures where name == "acc" { #expect((0...1).contains(value)) }
    for (name, value) in measures where name == "cosine" { #expect((-1...1).contains(value)) }
    let again = try learning.validate(loader, batchSize: loader.itemCount)
    #expect(again.map(\.value) == measures.map(\.value))
    // One batch of everything: its mean loss is what training would see.
    let content = try #require(
      try loader.batch(
        of: Array(0..<loader.itemCount), random: RandomStream(seed: 0, step: 0, stream: 0x7A11)))
    var random = RandomStream(seed: 1, stream: 2)
    let source = try #require(PretrainingObjective.allCases.firstIndex(of: objective))
    let loss = learning.measured(source, content, &random).total
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

extension PretrainingLearning {
  /// A batch's losses without dropout.
  fileprivate func measured(
    _ source: Int, _ content: PretrainingBatch, _ random: inout RandomStream
  ) -> [LossPart] {
    let batch = PretrainingMixedBatch(source: source, content: content)
    let input = Self.prepare(batch, for: configuration, on: store.backend)
    return loss(.inference(store.backend), input, update: 0, random: &random).read(on: store.backend)
  }
}
