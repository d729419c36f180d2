import Engine

/// Options of the video-level ranking loss (Docs/Computation.md §3 "VSM / VCMR / VR loss").
///
/// The reference's `get_video_level_loss`.
public struct RankingOptions: Equatable, Sendable {
  /// The comparison of a negative's score with the positive's.
  public var kind = RankingKind.hinge
  /// The margin of the hinge loss (`margin`); `lse` has none.
  public var margin: Float = 0.1
  /// Whether every negative counts; otherwise each row draws one.
  public var useAllNegatives = true
  /// Whether hard negatives count more.
  ///
  /// The hardest `hardPoolSize` negatives weigh `hardNegativeWeight`, the rest 0.1. Where one is
  /// drawn, the hardest are the pool instead.
  public var useHardNegatives = false
  /// The number of hard negatives (`hard_pool_size`).
  public var hardPoolSize = 20
  /// The weight of hard negatives (`hard_neg_weights`), used only with ``useAllNegatives``.
  public var hardNegativeWeight: Float = 10

  /// Makes a hinge with margin 0.1 over all negatives, without hard ones.
  public init() {}

  /// Makes the input of the engine's ranking loss.
  /// - Parameter random: draws the negatives unless all count.
  func input(
    scores: Tensor, slots: Indices, queriesPerSlot: Int, on backend: any Backend, random: inout RandomStream
  ) -> RankingInput {
    RankingInput(
      scores: scores, slots: slots, queriesPerSlot: queriesPerSlot, kind: kind, margin: margin,
      hardPool: useHardNegatives && useAllNegatives ? (hardPoolSize, hardNegativeWeight) : nil,
      drawn: useAllNegatives
        ? nil
        : backend.makeIndices(draw(slots: slots.count, queriesPerSlot: queriesPerSlot, random: &random)))
  }

  /// Draws the ranks of the negatives.
  ///
  /// Each query draws one among the other slots' videos, then each slot one among their queries.
  private func draw(slots: Int, queriesPerSlot: Int, random: inout RandomStream) -> [Int] {
    guard slots > 1 else { return [Int](repeating: 0, count: slots * queriesPerSlot + slots) }
    func rank(of negatives: Int) -> Int {
      let pool = useHardNegatives ? min(hardPoolSize, negatives) : negatives
      return Int.random(in: 0..<max(1, pool), using: &random)
    }
    // A single negative needs no draw.
    let queries = (0..<slots * queriesPerSlot).map { _ in slots > 2 ? rank(of: slots - 1) : 0 }
    return queries + (0..<slots).map { _ in rank(of: (slots - 1) * queriesPerSlot) }
  }
}
