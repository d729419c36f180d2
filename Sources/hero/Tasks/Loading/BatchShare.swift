import Engine

/// What each rank brings to one batch of all ranks.
///
/// A loss is a mean over the whole batch (its known answers, its words, its queries), so a rank divides by what all have
/// together. Its gradients are then its part of the whole, and are added up.
public struct BatchShare: Equatable, Sendable {
  /// How many counts a task may have.
  private static let places = 5

  /// The counts of each rank.
  private let counts: [[Int]]
  /// This rank.
  public let rank: Int

  /// The batch of a process that is alone.
  public init(alone counts: [Int]) { self.init([counts], rank: 0) }

  private init(_ counts: [[Int]], rank: Int) {
    self.counts = counts
    self.rank = rank
  }

  /// Asks all ranks; a collective.
  public init(_ own: [Int], among communicator: any Communicator) {
    precondition(own.count <= Self.places)
    guard communicator.size > 1 else {
      self.init(alone: own)
      return
    }
    let padded = own + [Int](repeating: 0, count: Self.places - own.count)
    let all = communicator.gather(padded, counts: [Int](repeating: Self.places, count: communicator.size))
    self.init(
      (0..<communicator.size).map { Array(all[$0 * Self.places..<($0 + 1) * Self.places]) },
      rank: communicator.rank)
  }

  /// Whether no rank has anything.
  public var isEmpty: Bool { counts.allSatisfy { $0.allSatisfy { $0 == 0 } } }

  /// Count number `place` of every rank.
  public func byRank(_ place: Int) -> [Int] { counts.map { $0[place] } }

  /// The same of all ranks together.
  public func total(_ place: Int) -> Int { byRank(place).reduce(0, +) }

  /// The same of the ranks before this one.
  public func before(_ place: Int) -> Int { byRank(place)[..<rank].reduce(0, +) }
}
