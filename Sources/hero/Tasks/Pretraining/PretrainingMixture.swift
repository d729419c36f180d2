import Engine
import Formats
import Model
import Synchronization

/// One objective on one corpus.
public struct PretrainingSource: Sendable {
  /// `{objective}_{corpus}_{split}`, as the reference names it in its logs.
  public let name: String
  /// How often it is drawn, relative to the others.
  public let ratio: Int
  public let loader: PretrainingLoader

  public init(name: String, ratio: Int, loader: PretrainingLoader) {
    self.name = name
    self.ratio = ratio
    self.loader = loader
  }
}

/// A batch and whose it is.
public struct PretrainingMixedBatch: Sendable {
  /// Its place among the mixture's sources.
  public let source: Int
  /// Nil where the objective has nothing to ask of this rank's videos.
  public let content: PretrainingBatch?
}

/// A batch in a device's memory, and whose it is.
public struct PretrainingMixedInput: Sendable {
  let source: Int
  let content: PretrainingInput?
}

/// Objectives and corpora mixed by ratio (the reference's `MetaLoader`): every update draws one source, whose next
/// batches it takes.
public final class PretrainingMixture: BatchSource {
  public let sources: [PretrainingSource]
  /// Every source as often as it is drawn.
  private let pool: [Int]
  private let draws = Mutex(Draws())

  /// What every update drew, as far as anybody asked.
  private struct Draws {
    var seed: UInt64 = 0
    var updates: [(source: Int32, earlier: Int32)] = []
    var counts: [Int32] = []
  }

  /// - Throws: `DataError` where nothing can be drawn, or a source that can be drawn has no videos.
  public init(_ sources: [PretrainingSource]) throws {
    self.sources = sources
    pool = sources.indices.flatMap { Array(repeating: $0, count: max(0, sources[$0].ratio)) }
    guard !pool.isEmpty else {
      throw DataError("no pre-training task has a ratio above 0", cure: "Set ratio or targets_ratio")
    }
    for source in sources where source.ratio > 0 && source.loader.itemCount == 0 {
      throw DataError(
        "\(source.name) has no video to train on", cure: "Check its train_idx, or set its ratio to 0")
    }
  }

  public var itemCount: Int { sources.reduce(0) { $0 + ($1.ratio > 0 ? $1.loader.itemCount : 0) } }

  public var skippedCount: Int { sources.reduce(0) { $0 + $1.loader.skippedCount } }

  /// The sources with their videos and shares: `mlm_tv_all 17435 videos (29 %), …`.
  public var summary: String {
    sources.map { source in
      let share = 100 * Double(max(0, source.ratio)) / Double(pool.count)
      return "\(source.name) \(source.loader.itemCount) videos (\(Int(share.rounded())) %)"
    }.joined(separator: ", ")
  }

  /// The source that an update draws, and how many earlier updates drew the same.
  public func draw(update: Int, seed: UInt64) -> (source: Int, earlier: Int) {
    draws.withLock { draws in
      if draws.seed != seed || draws.counts.isEmpty {
        draws = Draws(seed: seed, counts: [Int32](repeating: 0, count: sources.count))
      }
      while draws.updates.count <= update {
        var random = RandomStream(seed: seed, step: UInt64(draws.updates.count), for: .mixture)
        let source = pool[Int.random(in: pool.indices, using: &random)]
        draws.updates.append((Int32(source), draws.counts[source]))
        draws.counts[source] += 1
      }
      return (Int(draws.updates[update].source), Int(draws.updates[update].earlier))
    }
  }

  public func batch(_ number: Int, of plan: BatchPlan) throws -> PretrainingMixedBatch? {
    let (update, part) = number.quotientAndRemainder(dividingBy: plan.batchesPerUpdate)
    let (source, earlier) = draw(update: update, seed: plan.seed)
    // Sources of one corpus visit its videos in orders of their own.
    var own = plan
    own.seed = plan.seed &+ UInt64(source + 1) &* 0x9E37_79B9_7F4A_7C15
    return PretrainingMixedBatch(
      source: source,
      content: try sources[source].loader.batch(earlier * plan.batchesPerUpdate + part, of: own))
  }
}
