import Corpus
import Engine
import Model

/// The updates at which the parts of the retrieval loss begin.
public struct RetrievalCurriculum: Sendable {
  /// The update at which the span loss begins (`train_span_start_step`); never if negative.
  public var spanStart = 0
  /// The pool and weight of hard negatives, each from its `start` on.
  ///
  /// `hard_negtiave_start_step`, `hard_pool_size`, `hard_neg_weights`.
  public var hardNegatives: [(start: Int, poolSize: Int, weight: Float)] = []

  /// Makes a curriculum with spans from the first update and without hard negatives.
  public init() {}

  /// Returns the options that hold at an update.
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
  /// The name in logs, such as `tvr`.
  public let name: String
  /// The model whose parameters the run trains.
  public let model: RetrievalModel
  /// The maker of the batches.
  public let loader: RetrievalLoader
  private let options: RetrievalLossOptions
  private let curriculum: RetrievalCurriculum

  /// - Parameters:
  ///   - options: the weights that hold once the curriculum begins them.
  ///   - curriculum: the updates at which spans and hard negatives begin.
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

  /// Computes the span, context and query losses with the weights that hold at `update`.
  public func loss(
    _ tape: Tape, _ input: RetrievalInput?, among share: BatchShare, update: Int,
    random: inout RandomStream
  ) -> [LossTerm] {
    model.loss(tape, input, curriculum.options(options, update: update), among: share, random: &random)
  }

  /// Computes mean losses over a loader's queries, without dropout; the ranks share the batches.
  /// - Parameter progress: takes the number of queries done; what it throws ends the work.
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
