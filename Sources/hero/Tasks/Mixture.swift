import Engine
import Formats
import Synchronization

/// The sources of a run: one, or several mixed by ratio (the reference's `MetaLoader`).
///
/// Every update draws one source and takes its next batches.
public struct Mixture {
  /// One of several sources.
  public struct Entry {
    /// The source of the batches.
    public let source: any Source
    /// How often the source is drawn, relative to the others.
    public let ratio: Int
    /// The number of items of a rank's batch; nil for the run's.
    public let batchSize: Int?
    /// The source's place among all that the run names, which seeds the order of its items.
    ///
    /// nil for its place among the sources.
    let number: Int?

    /// - Parameters:
    ///   - ratio: how often the source is drawn, relative to the others.
    ///   - batchSize: the number of items of a rank's batch; nil for the run's.
    ///   - number: the place among all sources that the run names, including those never drawn; nil
    ///     where the entries are all of them.
    public init(_ source: any Source, ratio: Int, batchSize: Int? = nil, number: Int? = nil) {
      self.source = source
      self.ratio = ratio
      self.batchSize = batchSize
      self.number = number
    }
  }

  /// The name of the run's task: the sole source's name, or the mixture's.
  public let name: String
  /// The sources; empty where nothing is trained. A batch names its source by its place here.
  public let entries: [Entry]
  /// The parameters that all sources share.
  public let store: ParameterStore
  /// The draws of the sources; nil for a sole source.
  let draws: SourceDraws?

  /// Makes a run of one source.
  public init(_ source: any Source) {
    name = source.name
    entries = [Entry(source, ratio: 1)]
    store = source.store
    draws = nil
  }

  /// Makes a run without updates, which only measures its parameters.
  public init(untrained name: String, _ store: ParameterStore) {
    (self.name, self.store) = (name, store)
    entries = []
    draws = nil
  }

  /// - Throws: `DataError` if nothing can be drawn, or if a source that can be drawn has no items.
  /// - Precondition: The sources share one store.
  public init(_ name: String, _ entries: [Entry]) throws {
    self.name = name
    self.entries = entries
    guard entries.contains(where: { $0.ratio > 0 }) else {
      throw DataError("no source has a ratio above 0", cure: "Set ratio or targets_ratio")
    }
    for entry in entries where entry.ratio > 0 && entry.source.itemCount == 0 {
      throw DataError(
        "\(entry.source.name) has nothing to train on",
        cure: "Check its training store or train_idx, or set its ratio to 0")
    }
    draws = try SourceDraws(ratios: entries.map(\.ratio))
    store = entries[0].source.store
    precondition(entries.allSatisfy { [store] in $0.source.store === store })
  }

  /// The number of items of the sources that can be drawn.
  public var itemCount: Int { entries.reduce(0) { $0 + ($1.ratio > 0 ? $1.source.itemCount : 0) } }
  /// The number of unusable items found so far.
  public var skippedCount: Int { entries.reduce(0) { $0 + $1.source.skippedCount } }

  /// The sources with their items, shares and batch sizes: `mlm_tv_all 17435 videos (29 %), …`.
  public var summary: String {
    guard let draws else {
      return entries.first?.source.summary ?? "nothing is trained, and no store to train on is read"
    }
    return entries.map { entry in
      let share = 100 * Double(max(0, entry.ratio)) / Double(draws.sum)
      let batches = entry.batchSize.map { ", batches of \($0)" } ?? ""
      return "\(entry.source.name) \(entry.source.summary) (\(Int(share.rounded())) %\(batches))"
    }.joined(separator: ", ")
  }

  // MARK: Batches

  /// A batch in the device's memory, and the place of its source.
  public struct Batch: Sendable {
    /// The place of its source in ``Mixture/entries``.
    public let source: Int
    /// nil where this rank has no part of the batch.
    let input: (any TaskInput)?
  }

  /// Returns a function that makes the run's batches by number, for loading threads.
  ///
  /// A batch is a function of its number and the plan.
  public func reading(_ plan: BatchPlan) -> @Sendable (_ number: Int) throws -> Batch {
    let readers = entries.enumerated().map { place, entry in
      var own = plan
      own.batchSize = entry.batchSize ?? plan.batchSize
      // Each source visits the videos of a shared corpus in its own order.
      if draws != nil { own.seed = plan.seed &+ UInt64((entry.number ?? place) + 1) &* 0x9E37_79B9_7F4A_7C15 }
      return entry.source.reading(own)
    }
    guard let draws else { return { Batch(source: 0, input: try readers[0]($0)) } }
    return { number in
      let (update, part) = number.quotientAndRemainder(dividingBy: plan.batchesPerUpdate)
      let (source, earlier) = draws.draw(update: update, seed: plan.seed)
      return Batch(source: source, input: try readers[source](earlier * plan.batchesPerUpdate + part))
    }
  }

  /// Returns the number of items of a rank's batch of a source.
  public func batchSize(of source: Int, in plan: BatchPlan) -> Int {
    entries[source].batchSize ?? plan.batchSize
  }

  /// Returns the counts that the losses of a batch divide by.
  public func counts(of batch: Batch) -> [Counted: Int] { batch.input?.counts ?? [:] }

  /// Computes `Source.loss` of a batch.
  public func loss(
    _ tape: Tape, _ batch: Batch, among share: BatchShare, update: Int, random: inout RandomStream
  ) -> [LossTerm] {
    entries[batch.source].source.loss(tape, batch, among: share, update: update, random: &random)
  }
}

/// The draws of sources, one per update.
final class SourceDraws: Sendable {
  /// The running sums of the ratios: where each source's share ends.
  private let ends: [Int]
  /// The sum of all ratios, where the last share ends.
  let sum: Int
  private let drawn = Mutex(Drawn())

  /// The draws of the updates asked for so far.
  private struct Drawn {
    var seed: UInt64 = 0
    var updates: [(source: Int32, earlier: Int32)] = []
    var counts: [Int32] = []
  }

  /// - Throws: `DataError` if the sum of the ratios overflows.
  init(ratios: [Int]) throws {
    var (ends, sum): ([Int], Int) = ([], 0)
    for ratio in ratios {
      let (next, overflows) = sum.addingReportingOverflow(max(0, ratio))
      guard !overflows else { throw DataError("ratios add up to more than \(Int.max)") }
      sum = next
      ends.append(sum)
    }
    (self.ends, self.sum) = (ends, sum)
  }

  /// Returns the source that an update draws, and how many earlier updates drew the same source.
  func draw(update: Int, seed: UInt64) -> (source: Int, earlier: Int) {
    drawn.withLock { drawn in
      if drawn.seed != seed || drawn.counts.isEmpty {
        drawn = Drawn(seed: seed, counts: [Int32](repeating: 0, count: ends.count))
      }
      while drawn.updates.count <= update {
        var random = RandomStream(seed: seed, step: UInt64(drawn.updates.count), for: .mixture)
        let place = Int.random(in: 0..<sum, using: &random)
        let source = ends.firstIndex { place < $0 } ?? 0
        drawn.updates.append((Int32(source), drawn.counts[source]))
        drawn.counts[source] += 1
      }
      return (Int(drawn.updates[update].source), Int(drawn.updates[update].earlier))
    }
  }
}

/// What a mixture needs of sources whose types it does not know.
extension Source {
  fileprivate var itemCount: Int { loader.itemCount }
  fileprivate var skippedCount: Int { loader.skips.itemCount }
  fileprivate var summary: String { loader.summary }

  fileprivate func reading(_ plan: BatchPlan) -> @Sendable (_ number: Int) throws -> (any TaskInput)? {
    let (loader, shape, backend) = (loader, configuration, store.backend)
    return { number in
      try loader.batch(number, of: plan).map { $0.prepared(for: shape, on: backend) }
    }
  }

  fileprivate func loss(
    _ tape: Tape, _ batch: Mixture.Batch, among share: BatchShare, update: Int, random: inout RandomStream
  ) -> [LossTerm] {
    let own = batch.input as? Input
    precondition(batch.input == nil || own != nil, "a batch of another source")
    return loss(tape, own, among: share, update: update, random: &random)
  }
}
