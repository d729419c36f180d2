import Corpus
import Engine
import Model

/// When the parts of the retrieval loss come in, by update.
public struct RetrievalCurriculum: Sendable {
  /// `train_span_start_step`: the span loss counts from this update on; never if negative.
  public var spanStart = 0
  /// `hard_negtiave_start_step`, `hard_pool_size`, `hard_neg_weights`: from each start on, that
  /// pool and weight.
  public var hardNegatives: [(start: Int, poolSize: Int, weight: Float)] = []

  /// Spans from the first update, no hard negatives.
  public init() {}

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
public final class RetrievalSource: ModelSource {
  /// As logs name it, such as `tvr`.
  public let name: String
  /// Its parameters are those that the run trains.
  public let model: RetrievalModel
  /// What the batches come from.
  public let loader: RetrievalLoader
  private let options: RetrievalLossOptions
  private let curriculum: RetrievalCurriculum

  /// - Parameters:
  ///   - options: weights that hold once the curriculum lets them.
  ///   - curriculum: the updates from which spans and hard negatives count.
  public init(
    name: String, model: RetrievalModel, loader: RetrievalLoader, options: RetrievalLossOptions,
    curriculum: RetrievalCurriculum
  ) {
    self.name = name
    self.model = model
    self.loader = loader
    self.options = options
    self.curriculum = curriculum
  }

  /// Start, end, context and query losses with the weights that hold at `update`.
  public func loss(
    _ tape: Tape, _ input: RetrievalInput?, among share: BatchShare, update: Int,
    random: inout RandomStream
  ) -> [LossTerm] {
    model.loss(tape, input, curriculum.options(options, update: update), among: share, random: &random)
  }

  /// Mean losses over another loader's queries, without dropout; the batches are divided among the
  /// ranks.
  /// - Parameter progress: called with the number of queries done; what it throws ends the work.
  public func validationLosses(
    _ loader: RetrievalLoader, batchSize: Int, among communicator: any Communicator = SoleCommunicator.shared,
    progress: (Int) throws -> Void = { _ in }
  ) throws -> [LossPart<Float>] {
    var validation = options
    validation.spanDropProbability = 0
    let (backend, shape) = (store.backend, model.configuration)
    let batches = ItemBatches(count: loader.itemCount, size: batchSize)
    let found = try communicator.divide(batches, progress: progress) { items in
      try loader.batch(of: Array(items), random: RandomStream(seed: 0, stream: 0)).map {
        (first: items.lowerBound, queries: $0.queries.count, input: $0.prepared(for: shape, on: backend))
      }
    } work: { batch -> [[Float]] in
      guard let (first, queries, input) = batch else { return [] }
      var random = RandomStream(seed: 0, step: UInt64(first), for: .validationLoss)
      let parts = model.loss(.inference(backend), input, validation, random: &random).read(on: backend)
      return [[Float(queries)] + parts.map(\.value)]
    }
    var sums = RetrievalModel.parts(validation).map { $0.with(Float(0)) }
    var count: Float = 0
    for figures in found.joined() {
      for place in sums.indices { sums[place].value += figures[0] * figures[1 + place] }
      count += figures[0]
    }
    guard count > 0 else { return [] }
    return sums.map { $0.with($0.value / count) }
  }
}
