import Engine
import Model

/// A named part of a loss, without its weight in the sum.
///
/// A source's whole loss has an empty name.
public struct LossPart<Value> {
  /// The suffix that logs add to the source's name, such as `st_ed`; empty for the whole loss.
  public var name: String
  /// The unweighted value, which logs show.
  public var value: Value
  /// The part's factor in the minimized sum.
  public var weight: Float

  /// - Parameter weight: the part's factor in the minimized sum.
  public init(_ name: String, _ value: Value, weight: Float = 1) {
    (self.name, self.value, self.weight) = (name, value, weight)
  }

  /// Returns the same part with another value.
  public func with<Other>(_ value: Other) -> LossPart<Other> { LossPart<Other>(name, value, weight: weight) }
}

/// A part whose value is still on the device, one float64; nil where the part does not count.
public typealias LossTerm = LossPart<Tensor?>

extension [LossTerm] {
  /// Waits for the device once and reads the values.
  public func read(on backend: any Backend) -> [LossPart<Float>] {
    read(backend.numbers(of: compactMap(\.value)))
  }

  /// Returns the parts with their values.
  /// - Parameter values: the values of the parts that have one, in order.
  public func read(_ values: some Collection<Double>) -> [LossPart<Float>] {
    var values = values[...]
    return map { $0.with($0.value == nil ? 0 : Float(values.removeFirst())) }
  }
}

extension [LossPart<Float>] {
  /// The weighted sum that training minimizes.
  public var total: Float { reduce(0) { $0 + $1.weight * $1.value } }
}

/// The settings that determine a run's batches.
public struct BatchPlan: Equatable, Sendable {
  /// The number of items of a rank's batch.
  public var batchSize: Int
  /// The number of consecutive batches of one update: `gradient_accumulation_steps`.
  public var batchesPerUpdate: Int
  /// The seed of the items' order and of the draws for each item.
  public var seed: UInt64
  /// The number of ranks that a batch is divided among.
  public var ranks: Int
  /// This rank, from 0.
  public var rank: Int

  /// Makes a plan, for one process unless ranks are given.
  ///
  /// Fewer than one batch per update counts as one.
  public init(batchSize: Int, batchesPerUpdate: Int = 1, seed: UInt64, rank: Int = 0, of ranks: Int = 1) {
    self.batchSize = batchSize
    self.batchesPerUpdate = max(1, batchesPerUpdate)
    self.seed = seed
    (self.rank, self.ranks) = (rank, ranks)
  }

  /// Returns this rank's items of batch `number`, and the first one's place among all visited.
  ///
  /// The ranks' items, concatenated, are the batch of a single process with `ranks` times the batch
  /// size. The ranks wait for the slowest, so the parts have about equal total sizes. Each rank has
  /// an item if there are enough.
  /// - Parameter size: the cost of an item, in any unit.
  public func items(
    _ number: Int, of count: Int, size: (_ item: Int) -> Int = { _ in 1 }
  ) -> (items: [Int], first: Int) {
    let order = EpochOrder(items: count, batchSize: batchSize * ranks, seed: seed)
    let all = order.batch(number)
    let own = part(of: ranks > 1 ? all.map { max(1, size($0)) } : all.map { _ in 1 })
    return (Array(all[own]), number * order.batchSize + own.lowerBound)
  }

  /// Returns this rank's range of items with these sizes.
  private func part(of sizes: [Int]) -> Range<Int> {
    let total = sizes.reduce(0, +)
    var (start, end, sum) = (0, 0, 0)
    for part in 1...rank + 1 {
      start = end
      let isEnough = sizes.count >= ranks
      let most = part == ranks || !isEnough ? sizes.count : sizes.count - (ranks - part)
      // An item belongs to the part that contains its middle.
      while end < most,
        part == ranks || isEnough && end == start || (2 * sum + sizes[end]) * ranks < 2 * total * part
      {
        sum += sizes[end]
        end += 1
      }
    }
    return start..<end
  }
}

/// A batch as a loading thread makes it.
public protocol TaskBatch: Sendable {
  /// The batch in a device's memory.
  associatedtype Input: TaskInput
  /// Copies the batch into a device's memory, on a loading thread.
  func prepared(for model: ModelConfiguration, on backend: any Backend) -> Input
}

/// A batch in a device's memory.
public protocol TaskInput: Sendable {
  /// The counts that the losses divide by; a missing one is 0.
  var counts: [Counted: Int] { get }
}

/// A maker of batches of a source's items, epoch by epoch, for loading threads.
public protocol BatchLoader: Sendable {
  /// The batches that a loading thread makes.
  associatedtype Batch: TaskBatch
  /// The number of items.
  var itemCount: Int { get }
  /// Returns the number of frames of an item's video by the side files: an estimate of its cost.
  func frames(of item: Int) -> Int
  /// The report of every item that cannot be used.
  var skips: SkipReport { get }
  /// The items in words: `4000 items`.
  var summary: String { get }
  /// Returns the batch of these items; nil if none of them can be used, or if there are none.
  /// - Parameter random: the stream for masks and samples of the first item. Item k takes the
  ///   stream k places on, so its draws do not depend on the rest of its batch.
  func batch(of items: [Int], random: RandomStream) throws -> Batch?
}

extension BatchLoader {
  /// The items in words: `4000 items`.
  public var summary: String { "\(itemCount) items" }

  /// Returns batch `number` of a run, counted from its first.
  ///
  /// It is a function of the number and the plan alone, so a resumed run continues with the same
  /// batches. nil where none of its items can be used, or the rank has none.
  public func batch(_ number: Int, of plan: BatchPlan) throws -> Batch? {
    let (items, first) = plan.items(number, of: itemCount, size: frames)
    return try batch(of: items, random: RandomStream(seed: plan.seed, step: UInt64(first), for: .batch))
  }
}

/// A source of training: items, the model's task on them, and its loss.
///
/// A run has one or several (``Mixture``), whose models share their parameters. The trainer knows
/// nothing else about tasks.
public protocol Source: AnyObject, SendableMetatype {
  /// The maker of the batches.
  associatedtype Loader: BatchLoader
  typealias Input = Loader.Batch.Input
  /// The name in logs, after the reference: `tvr`, `mlm_tv_all`.
  var name: String { get }
  /// The parameters that the loss trains.
  var store: ParameterStore { get }
  /// The model's shape, which batches must fit.
  var configuration: ModelConfiguration { get }
  /// The maker of the source's batches.
  var loader: Loader { get }
  /// Computes this rank's part of a batch's loss on a training tape.
  ///
  /// The ranks' parts add up to the loss of the batch and have the same names on all ranks. A rank
  /// without a batch still takes part in collectives.
  /// - Parameters:
  ///   - input: this rank's batch; nil where it has none.
  ///   - share: each rank's counts, from `TaskInput.counts`.
  ///   - update: the update, counted from 0; some losses begin late.
  ///   - random: the update's stream, the same on all ranks.
  func loss(
    _ tape: Tape, _ input: Input?, among share: BatchShare, update: Int, random: inout RandomStream
  ) -> [LossTerm]
}

extension Source {
  /// Computes the loss of a process that runs alone.
  public func loss(_ tape: Tape, _ input: Input, update: Int, random: inout RandomStream) -> [LossTerm] {
    loss(tape, input, among: BatchShare(alone: input.counts), update: update, random: &random)
  }

  /// Returns the name of a part of the loss in logs: `tvr_st_ed`, or the source's for its whole
  /// loss.
  public func label(of part: LossPart<Float>) -> String { part.name.isEmpty ? name : "\(name)_\(part.name)" }
}

/// A source that trains one of HERO's models.
public protocol ModelSource: Source {
  /// The model that the source trains.
  associatedtype Model: HeroModel
  /// The model, whose parameters and shape are the source's.
  var model: Model { get }
}

extension ModelSource {
  /// The model's parameters, which the run trains.
  public var store: ParameterStore { model.store }
  /// The model's shape, which batches must fit.
  public var configuration: ModelConfiguration { model.configuration }
}
