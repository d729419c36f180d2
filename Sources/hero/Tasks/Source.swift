import Engine
import Model

/// One named part of a loss, without the weight that it has in the sum. The whole loss of a source
/// has no name.
public struct LossPart<Value> {
  /// What logs put behind the source's name, such as `st_ed`; empty for the whole loss.
  public var name: String
  /// Unweighted: logs show it as it is.
  public var value: Value
  /// Its factor in the sum that is minimized.
  public var weight: Float

  /// - Parameter weight: the factor in the sum.
  public init(_ name: String, _ value: Value, weight: Float = 1) {
    (self.name, self.value, self.weight) = (name, value, weight)
  }

  /// The same part with another value.
  public func with<Other>(_ value: Other) -> LossPart<Other> { LossPart<Other>(name, value, weight: weight) }
}

/// A part whose value is still on the device, one float64; nil where it does not count now.
public typealias LossTerm = LossPart<Tensor?>

extension [LossTerm] {
  /// Waits for the device, once, and reads the values.
  public func read(on backend: any Backend) -> [LossPart<Float>] {
    read(backend.numbers(of: compactMap(\.value)))
  }

  /// The parts with their values.
  /// - Parameter values: those of the parts that have one, in order.
  public func read(_ values: some Collection<Double>) -> [LossPart<Float>] {
    var values = values[...]
    return map { $0.with($0.value == nil ? 0 : Float(values.removeFirst())) }
  }
}

extension [LossPart<Float>] {
  /// What training minimises.
  public var total: Float { reduce(0) { $0 + $1.weight * $1.value } }
}

/// What fixes the batches of a run.
public struct BatchPlan: Equatable, Sendable {
  /// Items of a rank's batch.
  public var batchSize: Int
  /// `gradient_accumulation_steps`: batches in a row that make one update.
  public var batchesPerUpdate: Int
  /// Of the order of items and of what is drawn for each.
  public var seed: UInt64
  /// The ranks that a batch is divided among, and which of them this is.
  public var ranks: Int
  /// Which of ``ranks`` this is, from 0.
  public var rank: Int

  /// A plan for one process, unless ranks are given. Fewer than one batch an update counts as one.
  public init(batchSize: Int, batchesPerUpdate: Int = 1, seed: UInt64, rank: Int = 0, of ranks: Int = 1) {
    self.batchSize = batchSize
    self.batchesPerUpdate = max(1, batchesPerUpdate)
    self.seed = seed
    (self.rank, self.ranks) = (rank, ranks)
  }

  /// This rank's items of batch `number`, and the place of the first among all items that a run
  /// visits.
  ///
  /// All ranks' items end to end are the batch that one process with as many items at once would
  /// have. A rank's part ends where its items' sizes come nearest to an equal share, since the
  /// ranks wait for the last; each has an item if there are enough.
  /// - Parameter size: what an item costs, in any unit.
  public func items(
    _ number: Int, of count: Int, size: (_ item: Int) -> Int = { _ in 1 }
  ) -> (items: [Int], first: Int) {
    let order = EpochOrder(items: count, batchSize: batchSize * ranks, seed: seed)
    let all = order.batch(number)
    let own = part(of: ranks > 1 ? all.map { max(1, size($0)) } : all.map { _ in 1 })
    return (Array(all[own]), number * order.batchSize + own.lowerBound)
  }

  /// This rank's stretch of items with these sizes.
  private func part(of sizes: [Int]) -> Range<Int> {
    let total = sizes.reduce(0, +)
    var (start, end, sum) = (0, 0, 0)
    for part in 1...rank + 1 {
      start = end
      let isEnough = sizes.count >= ranks
      let most = part == ranks || !isEnough ? sizes.count : sizes.count - (ranks - part)
      // An item belongs to the part that its middle is in.
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
  /// Puts the batch into a device's memory; loading threads do it.
  func prepared(for model: ModelConfiguration, on backend: any Backend) -> Input
}

/// A batch in a device's memory.
public protocol TaskInput: Sendable {
  /// What the losses are means over, so many of each; what is not named is not there.
  var counts: [Counted: Int] { get }
}

/// Makes batches of a source's items, which a run visits epoch by epoch. Used by loading threads.
public protocol BatchLoader: Sendable {
  /// What a loading thread makes.
  associatedtype Batch: TaskBatch
  /// Items in all.
  var itemCount: Int { get }
  /// Frames of an item's video, as the side files say: about what it costs.
  func frames(of item: Int) -> Int
  /// Reports every item that cannot be used.
  var skips: SkipReport { get }
  /// What the batches are made of, in words: `4000 items`.
  var summary: String { get }
  /// The batch of these items; nil where there are none or none can be used.
  /// - Parameter random: for masks and samples of the first item; item k has the stream that
  ///   follows by k, so that what is drawn for an item does not depend on what it shares a batch
  ///   with.
  func batch(of items: [Int], random: RandomStream) throws -> Batch?
}

extension BatchLoader {
  /// As in "4000 items".
  public var summary: String { "\(itemCount) items" }

  /// Batch `number` of a run, counted from its first: a function of the number and the plan alone,
  /// so a resumed run continues with the very batch that would have come. nil where none of its
  /// items can be used, or the rank has none.
  public func batch(_ number: Int, of plan: BatchPlan) throws -> Batch? {
    let (items, first) = plan.items(number, of: itemCount, size: frames)
    return try batch(of: items, random: RandomStream(seed: plan.seed, step: UInt64(first), for: .batch))
  }
}

/// What a run learns from: items, the model's task on them, and its loss.
///
/// A run has one or several (``Mixture``), whose models share their parameters. The trainer knows
/// nothing else of tasks.
public protocol Source: AnyObject, SendableMetatype {
  /// Makes the batches.
  associatedtype Loader: BatchLoader
  typealias Input = Loader.Batch.Input
  /// As logs name it, after the reference: `tvr`, `mlm_tv_all`.
  var name: String { get }
  /// The parameters that the loss trains.
  var store: ParameterStore { get }
  /// The model's shape, which batches are checked against.
  var configuration: ModelConfiguration { get }
  /// Makes the source's batches by their numbers.
  var loader: Loader { get }
  /// Computes this rank's part of a batch's loss on a training tape. The parts of all ranks add up
  /// to the loss of the batch; their names are the same on all ranks. A rank without a batch takes
  /// part in what the ranks do together.
  /// - Parameters:
  ///   - input: nil where this rank has no batch.
  ///   - share: what each rank has, by `TaskInput.counts`.
  ///   - update: counted from 0; some losses begin late.
  ///   - random: the update's own, the same on all ranks.
  func loss(
    _ tape: Tape, _ input: Input?, among share: BatchShare, update: Int, random: inout RandomStream
  ) -> [LossTerm]
}

extension Source {
  /// The loss of a process that is alone.
  public func loss(_ tape: Tape, _ input: Input, update: Int, random: inout RandomStream) -> [LossTerm] {
    loss(tape, input, among: BatchShare(alone: input.counts), update: update, random: &random)
  }

  /// How logs name a part of the loss: `tvr_st_ed`; a part without a name is the source's whole
  /// loss.
  public func label(of part: LossPart<Float>) -> String { part.name.isEmpty ? name : "\(name)_\(part.name)" }
}

/// A source that one of HERO's models learns from.
public protocol ModelSource: Source {
  /// The model that the source trains.
  associatedtype Model: HeroModel
  /// Its parameters and shape are the source's.
  var model: Model { get }
}

extension ModelSource {
  /// The model's parameters, which the run trains.
  public var store: ParameterStore { model.store }
  /// The model's shape, which batches are checked against.
  public var configuration: ModelConfiguration { model.configuration }
}
