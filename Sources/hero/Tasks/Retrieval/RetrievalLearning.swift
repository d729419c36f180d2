import Corpus
import Engine
import Model

/// When the parts of the retrieval loss come in, by update.
public struct RetrievalCurriculum: Equatable, Sendable {
  /// `train_span_start_step`: the span loss counts from this update on; never if negative.
  public var spanStart = 0
  /// `hard_negtiave_start_step`, `hard_pool_size`, `hard_neg_weights`: from each start on, that pool and weight.
  public var hardNegatives: [(start: Int, poolSize: Int, weight: Float)] = []

  public init() {}

  public static func == (a: RetrievalCurriculum, b: RetrievalCurriculum) -> Bool {
    a.spanStart == b.spanStart && a.hardNegatives.elementsEqual(b.hardNegatives) { $0 == $1 }
  }

  /// The options that hold at an update.
  public func options(_ base: RetrievalLossOptions, update: Int) -> RetrievalLossOptions {
    var options = base
    if spanStart < 0 || update < spanStart { options.spanWeight = 0 }
    for stage in hardNegatives where stage.start >= 0 && update >= stage.start {
      options.ranking.useHardNegatives = true
      options.ranking.hardPoolSize = stage.poolSize
      options.ranking.hardNegativeWeight = stage.weight
    }
    return options
  }
}

/// Fine-tuning for retrieval: TVR, How2R, DiDeMo, MSR-VTT.
public final class RetrievalLearning: ModelLearning {
  public let name: String
  public let model: RetrievalModel
  public let trainingLoader: RetrievalLoader
  private let options: RetrievalLossOptions
  private let curriculum: RetrievalCurriculum

  public init(
    name: String, model: RetrievalModel, loader: RetrievalLoader, options: RetrievalLossOptions,
    curriculum: RetrievalCurriculum
  ) {
    self.name = name
    self.model = model
    trainingLoader = loader
    self.options = options
    self.curriculum = curriculum
  }

  public static func prepare(
    _ batch: RetrievalBatch, for model: ModelConfiguration, on backend: any Backend
  ) -> RetrievalInput { batch.prepared(for: model, on: backend) }

  public func loss(
    _ tape: Tape, _ input: RetrievalInput, update: Int, random: inout RandomStream
  ) -> [LossTerm] {
    model.loss(tape, input, curriculum.options(options, update: update), random: &random)
  }

  /// Mean losses over another loader's queries, without dropout.
  /// - Parameter progress: called with the number of queries done; what it throws ends the work.
  public func validationLosses(
    _ loader: RetrievalLoader, batchSize: Int, progress: (Int) throws -> Void = { _ in }
  ) throws -> [LossPart] {
    var validation = options
    validation.spanDropProbability = 0
    let (backend, shape) = (store.backend, model.configuration)
    let queue = Prefetch(items: loader.itemCount, batchSize: batchSize) { items in
      try loader.batch(of: Array(items), random: RandomStream(seed: 0, stream: 0)).map {
        (queries: $0.queries.count, input: $0.prepared(for: shape, on: backend))
      }
    }
    var sums: [LossPart] = []
    var count: Float = 0
    while let next = try queue.next() {
      guard let (queries, input) = next else { continue }
      var random = RandomStream(seed: 0, step: UInt64(count), stream: 1)
      let parts = model.loss(.inference(backend), input, validation, random: &random).read(on: backend)
      let weighted = parts.map { LossPart($0.name, Float(queries) * $0.value, weight: $0.weight) }
      sums = sums.isEmpty ? weighted : sums.adding(weighted)
      count += Float(queries)
      try progress(Int(count))
    }
    return sums.map { LossPart($0.name, $0.value / count, weight: $0.weight) }
  }
}
