import Engine

/// How video-level ranking punishes negatives (Docs/Computation.md §3 "VSM / VCMR / VR loss"; the
/// reference's `get_video_level_loss`).
public struct RankingOptions: Equatable, Sendable {
  /// How a negative's score is compared with the positive's.
  public var kind = RankingKind.hinge
  /// `margin` of the hinge loss; `lse` reads none.
  public var margin: Float = 0.1
  /// Every negative counts; else one is drawn per row.
  public var useAllNegatives = true
  /// The hardest `hardPoolSize` negatives weigh `hardNegativeWeight`, the rest 0.1 (or are the pool
  /// to draw from).
  public var useHardNegatives = false
  /// `hard_pool_size`
  public var hardPoolSize = 20
  /// `hard_neg_weights`; read where ``useAllNegatives`` holds.
  public var hardNegativeWeight: Float = 10

  /// A hinge with margin 0.1 over all negatives, none of them hard.
  public init() {}

  /// What the engine ranks.
  /// - Parameter random: draws the negatives where not all count.
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

  /// Ranks of the drawn negatives: one a query among the other slots' videos, then one a slot among
  /// their queries.
  private func draw(slots: Int, queriesPerSlot: Int, random: inout RandomStream) -> [Int] {
    guard slots > 1 else { return [Int](repeating: 0, count: slots * queriesPerSlot + slots) }
    func rank(of negatives: Int) -> Int {
      let pool = useHardNegatives ? min(hardPoolSize, negatives) : negatives
      return Int.random(in: 0..<max(1, pool), using: &random)
    }
    // A single negative needs no drawing.
    let queries = (0..<slots * queriesPerSlot).map { _ in slots > 2 ? rank(of: slots - 1) : 0 }
    return queries + (0..<slots).map { _ in rank(of: (slots - 1) * queriesPerSlot) }
  }
}
