import Engine
import Model
import TestSupport
import Testing

@testable import Tasks

/// Ranks that share a batch have together the losses and gradients of one process with all of it.
@Suite("Ranks against one process")
struct RankTests {
  /// The losses and gradients of an update, by one process or by one rank of several.
  private struct Step: Sendable {
    var losses: [Double]
    var gradients: [String: [Float]]
  }

  private static func step<Task: Source>(
    _ make: @Sendable () throws -> Task, number: Int, batchSize: Int, _ ranks: any Communicator
  ) throws -> Step {
    let task = try make()
    let (store, backend) = (task.store, task.store.backend)
    try Device.link(backend, among: ranks) { _ in }
    let plan = BatchPlan(batchSize: batchSize, seed: 3, rank: ranks.rank, of: ranks.size)
    let input = try task.loader.batch(number, of: plan).map {
      $0.prepared(for: task.configuration, on: backend)
    }
    let share = BatchShare(input?.counts ?? [:], among: ranks)
    var random = RandomStream(seed: 3, step: UInt64(number), for: .loss)
    let tape = Tape.training(backend, seed: 3, step: UInt64(number), communicator: ranks)
    let terms = task.loss(tape, input, among: share, update: number, random: &random)
    GradientExchange(store, communicator: ranks, bucketSize: 1000).backward(tape)
    var gradients: [String: [Float]] = [:]
    for parameter in store.parameters {
      if let gradient = parameter.gradient { gradients[parameter.name] = backend.values(of: gradient) }
    }
    return Step(losses: ranks.sum(terms.read(on: backend).map { Double($0.value) }), gradients: gradients)
  }

  /// Compares batches of four by one process, two ranks and four ranks.
  private func check<Task: Source>(
    _ make: @escaping @Sendable () throws -> Task, batches: Range<Int> = 0..<2
  ) throws {
    for number in batches {
      let whole = try Self.step(make, number: number, batchSize: 4, SoleCommunicator.shared)
      #expect(whole.losses.contains { $0 != 0 } && !whole.gradients.isEmpty)
      let norm = whole.gradients.values.joined().reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
      for size in [2, 4] {
        let ranks = try ThreadRanks.run(size) { ranks in
          try Self.step(make, number: number, batchSize: 4 / size, ranks)
        }
        for rank in ranks {
          for (a, b) in paired(rank.losses, whole.losses) { #expect(abs(a - b) <= 1e-5 * max(1, abs(b))) }
          #expect(Set(rank.gradients.keys) == Set(whole.gradients.keys))
          // All ranks have the same gradients bit for bit.
          #expect(rank.gradients == ranks[0].gradients)
        }
        let error = whole.gradients.reduce(0.0) { sum, expected in
          paired(ranks[0].gradients[expected.key] ?? [], expected.value).reduce(sum) {
            $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1)
          }
        }.squareRoot()
        #expect(error <= 1e-5 * norm, "batch \(number) of \(size) ranks: off by \(error / norm)")
      }
    }
  }

  private static func retrieval(
    on device: TestDevice = .cpu, queriesPerVideo: Int = 1, _ configure: (inout RankingOptions) -> Void
  ) throws -> RetrievalSource {
    let model = try RetrievalGoldenTests.model("tvr", RetrievalModel.self, on: device)
    var options = try RetrievalGoldenTests.options()
    configure(&options.ranking)
    let loader = try RetrievalLoader(
      queries: .init(path: GoldenStores.path("db/txt_db/tvr_train.db")), videos: GoldenStores.videos(),
      maxTextLength: -1, queriesPerVideo: queriesPerVideo, frameInterval: GoldenStores.interval(),
      hasSpans: true, model: model.configuration)
    return RetrievalSource(
      name: "tvr", model: model, loader: loader, options: options, curriculum: RetrievalCurriculum())
  }

  @Test func everyNegativeOfAllRanks() throws { try check { try Self.retrieval { _ in } } }

  @Test func severalQueriesAVideoOfAllRanks() throws {
    try check { try Self.retrieval(queriesPerVideo: 2) { _ in } }
  }

  @Test(.enabled(if: TestGPU.isEmulated, "two ranks share no GPU")) func negativesOfAllGPUs() throws {
    try check { try Self.retrieval(on: .gpu) { _ in } }
  }

  /// Two GPUs train the same weights as one GPU with the whole batch.
  @Test func trainingOfGPUs() throws {
    let alone = try Self.train(batchSize: 4, SoleCommunicator.shared)
    let ranks = try ThreadRanks.run(2) { try Self.train(batchSize: 2, $0) }
    #expect(ranks[0].losses == ranks[1].losses && ranks[0].run.weights == ranks[1].run.weights)
    #expect(ranks[0].losses.count == alone.losses.count)
    for (a, b) in paired(ranks[0].losses, alone.losses) { #expect(abs(a - b) <= 1e-5 * max(1, abs(b))) }
    #expect(ranks[0].run.differences(from: alone.run, updates: 5, learningRate: 1e-4) == [])
  }

  private struct Trained: Sendable {
    var losses: [Float]
    var run: AdamRun
  }

  private static func train(batchSize: Int, _ ranks: any Communicator) throws -> Trained {
    let task = try retrieval(on: .gpu) { _ in }
    let (store, backend) = (task.store, task.store.backend)
    try Device.link(backend, among: ranks) { _ in }
    let exchange = GradientExchange(store, communicator: ranks, bucketSize: 1000)
    let optimizer = Optimizer(.adamw, store: store, betas: (0.9, 0.98), weightDecay: { _ in 0.01 })
    let plan = BatchPlan(batchSize: batchSize, seed: 3, rank: ranks.rank, of: ranks.size)
    var losses: [Float] = []
    for update in 0..<5 {
      let input = try task.loader.batch(update, of: plan).map {
        $0.prepared(for: task.configuration, on: backend)
      }
      let share = BatchShare(input?.counts ?? [:], among: ranks)
      var random = RandomStream(seed: 3, step: UInt64(update), for: .loss)
      let tape = Tape.training(backend, seed: 3, step: UInt64(update), communicator: ranks)
      let terms = task.loss(tape, input, among: share, update: update, random: &random)
      exchange.backward(tape)
      _ = optimizer.step(learningRate: 1e-4, gradientNorm: 1)
      losses += ranks.sum(terms.read(on: backend).map { Double($0.value) }).map { Float($0) }
    }
    let moments = Dictionary(
      uniqueKeysWithValues: store.parameters.map { ($0.name, optimizer.moments(of: $0)) })
    return Trained(
      losses: losses,
      run: AdamRun(
        weights: Dictionary(uniqueKeysWithValues: store.parameters.map { ($0.name, store.values(of: $0)) }),
        first: moments.mapValues { $0.first }, second: moments.mapValues { $0.second }))
  }

  @Test func hardNegativesOfAllRanks() throws {
    try check {
      try Self.retrieval {
        $0.useHardNegatives = true
        $0.hardPoolSize = 2
        $0.kind = .lse
      }
    }
  }

  @Test func drawnNegativesOfAllRanks() throws {
    try check { try Self.retrieval { $0.useAllNegatives = false } }
  }

  @Test func questions() throws {
    try check {
      QuestionSource(
        name: "tvqa", model: try QuestionGoldenTests.questionModel(),
        loader: try GoldenStores.questions("train"),
        spanWeight: 0.5)
    }
  }

  @Test func statements() throws {
    try check {
      QuestionSource(
        name: "violin", model: try QuestionGoldenTests.statementModel(),
        loader: try GoldenStores.statements("train", .training(maxTextLength: -1)), spanWeight: 0)
    }
  }

  @Test func captions() throws {
    try check {
      CaptionSource(
        name: "tvc", model: try CaptionGoldenTests.model(), loader: try GoldenStores.captions("train"))
    }
  }

  @Test(arguments: PretrainingObjective.allCases) func pretraining(_ objective: PretrainingObjective) throws {
    func check<S: Source>(_: S) throws {
      try self.check { () throws -> S in try #require(try PretrainingCorpus.source(objective) as? S) }
    }
    try check(try PretrainingCorpus.source(objective))
  }

  /// The last batch of an epoch may leave ranks without items.
  @Test func ranksWithoutItems() throws {
    let items = try Self.retrieval { _ in }.loader.itemCount
    let make: @Sendable () throws -> RetrievalSource = { try Self.retrieval { _ in } }
    // The last batch has a single item.
    let size = items - 1
    let whole = try Self.step(make, number: 1, batchSize: size, SoleCommunicator.shared)
    try #require(size > 1)
    let ranks = try ThreadRanks.run(size) { try Self.step(make, number: 1, batchSize: 1, $0) }
    for rank in ranks {
      #expect(Set(rank.gradients.keys) == Set(whole.gradients.keys))
      for (a, b) in paired(rank.losses, whole.losses) { #expect(abs(a - b) <= 1e-5 * max(1, abs(b))) }
    }
  }

  @Test(arguments: [1, 3, 4]) func ranksDivideAnEpoch(size: Int) {
    for number in 0..<7 {
      let whole = BatchPlan(batchSize: 12, seed: 5).items(number, of: 100)
      let parts = (0..<size).map {
        BatchPlan(batchSize: 12 / size, seed: 5, rank: $0, of: size).items(number, of: 100)
      }
      #expect(parts.flatMap(\.items) == whole.items)
      // An item has the same random numbers on any rank.
      #expect(
        parts.flatMap { part in part.items.indices.map { part.first + $0 } }
          == whole.items.indices.map { whole.first + $0 })
    }
  }

  /// Ranks get about as many frames each, at least one item, and all items.
  @Test(arguments: [2, 3, 8], [1, 7, 100]) func ranksHaveEqualParts(ranks: Int, longest: Int) throws {
    func size(_ item: Int) -> Int { item * 7919 % longest }
    for number in 0..<20 {
      let parts = (0..<ranks).map {
        BatchPlan(batchSize: 4, seed: 3, rank: $0, of: ranks).items(number, of: 1000, size: size).items
      }
      let whole = BatchPlan(batchSize: 4 * ranks, seed: 3).items(number, of: 1000).items
      #expect(parts.flatMap { $0 } == whole)
      if whole.count >= ranks { #expect(!parts.contains([])) }
      let loads = parts.map { $0.reduce(0) { $0 + max(1, size($1)) } }
      let total = loads.reduce(0, +)
      for load in loads { #expect(load <= total / ranks + 1 + longest) }
    }
    // One long video makes a part by itself.
    let alone = (0..<3).map {
      BatchPlan(batchSize: 2, seed: 3, rank: $0, of: 3).items(0, of: 6) { $0 == 4 ? 1000 : 10 }.items
    }
    #expect(!alone.contains([]) && alone.contains([4]))
  }

  /// Ranks that divide a split give the answers of one process, in its order.
  @Test func evaluationsAreDivided() throws {
    let alone = try Self.evaluate(SoleCommunicator.shared)
    for size in [2, 3] {
      for found in try ThreadRanks.run(size, { try Self.evaluate($0) }) { #expect(found == alone) }
    }
  }

  private static func evaluate(_ ranks: any Communicator) throws -> [String] {
    let model = try QuestionGoldenTests.questionModel()
    let answers = try QuestionEvaluator(
      [(model, try GoldenStores.questions("val", .evaluation))], batchSize: 2
    ).run(among: ranks)
    let learning = try retrieval { _ in }
    let losses = try learning.validationLosses(learning.loader, batchSize: 3, among: ranks)
    let source = try PretrainingCorpus.source(try #require(PretrainingObjective(name: "mfm-nce")))
    let measures = try source.measure(batchSize: 2, among: ranks) { _ in }
    return ["\(answers)", "\(losses)", "\(measures)"]
  }
}
