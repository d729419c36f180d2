import Engine

/// The counts that a loss may divide by.
public enum Counted: Int, CaseIterable, Sendable {
  /// Known answers and truth labels, masked words, hidden frames, and places of shuffled frames.
  case targets
  /// Known moments of questions.
  case moments
  /// Known first and last frames of the queries' moments.
  case starts, ends
  case queries
  /// The videos that the queries are about, once per query, and the videos of the batch.
  case slots, videos
  /// The frames that MFM does not hide.
  case others
}

/// The counts that each rank contributes to one batch of all ranks.
///
/// A loss is a mean over the whole batch (its known answers, its words, its queries). A rank
/// divides by the total over all ranks, and the ranks add up their gradients.
public struct BatchShare: Equatable, Sendable {
  /// The counts, by rank.
  private let counts: [[Counted: Int]]
  /// This rank.
  public let rank: Int

  /// Makes the share of a process that runs alone.
  public init(alone counts: [Counted: Int]) { self.init(counts, among: SoleCommunicator.shared) }

  /// Gathers the counts of all ranks; a collective.
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

  /// Whether every count of every rank is 0.
  public var isEmpty: Bool { counts.allSatisfy { $0.values.allSatisfy { $0 == 0 } } }

  /// The count of each rank.
  public func byRank(_ what: Counted) -> [Int] { counts.map { $0[what] ?? 0 } }

  /// The sum over all ranks.
  public func total(_ what: Counted) -> Int { byRank(what).reduce(0, +) }

  /// The sum over the ranks before this one.
  public func before(_ what: Counted) -> Int { byRank(what)[..<rank].reduce(0, +) }
}
