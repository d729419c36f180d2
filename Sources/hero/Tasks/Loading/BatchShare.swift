import Engine

/// What a loss may be a mean over.
public enum Counted: Int, CaseIterable, Sendable {
  /// Known answers, truths of statements, words, hidden frames, places that frames came from.
  case targets
  /// Known moments of questions.
  case moments
  /// Known first and last frames of queries' moments.
  case starts, ends
  case queries
  /// Videos that queries are about, counted once a query, and videos of the batch.
  case slots, videos
  /// Frames that MFM does not hide.
  case others
}

/// What each rank brings to one batch of all ranks.
///
/// A loss is a mean over the whole batch (its known answers, its words, its queries), so a rank
/// divides by what all have together. Its gradients are then its part of the whole, and are added
/// up.
public struct BatchShare: Equatable, Sendable {
  /// The counts of each rank.
  private let counts: [[Counted: Int]]
  /// This rank.
  public let rank: Int

  /// The batch of a process that is alone.
  public init(alone counts: [Counted: Int]) { self.init(counts, among: SoleCommunicator.shared) }

  /// Asks all ranks; a collective.
  public init(_ own: [Counted: Int], among communicator: any Communicator) {
    let places = Counted.allCases
    rank = communicator.rank
    guard communicator.size > 1 else {
      counts = [own]
      return
    }
    let all = communicator.gather(
      places.map { own[$0] ?? 0 }, counts: [Int](repeating: places.count, count: communicator.size))
    counts = (0..<communicator.size).map { rank in
      Dictionary(uniqueKeysWithValues: zip(places, all[rank * places.count..<(rank + 1) * places.count]))
    }
  }

  /// Whether no rank has anything.
  public var isEmpty: Bool { counts.allSatisfy { $0.values.allSatisfy { $0 == 0 } } }

  /// How many every rank has.
  public func byRank(_ what: Counted) -> [Int] { counts.map { $0[what] ?? 0 } }

  /// How many all ranks have together.
  public func total(_ what: Counted) -> Int { byRank(what).reduce(0, +) }

  /// How many the ranks before this one have.
  public func before(_ what: Counted) -> Int { byRank(what)[..<rank].reduce(0, +) }
}
