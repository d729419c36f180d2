import Engine
import Foundation

/// How video-level ranking punishes negatives (spec §6 "VSM / VCMR / VR loss"; the reference's `get_video_level_loss`).
public struct RankingOptions: Equatable, Sendable {
  public enum Kind: String, Sendable, CaseIterable {
    /// max(0, margin + negative − positive)
    case hinge
    /// log(1 + exp(negative − positive))
    case lse
  }

  public var kind: Kind = .hinge
  public var margin: Float = 0.1
  /// Every negative counts; else one is drawn per row.
  public var useAllNegatives = true
  /// The hardest `hardPoolSize` negatives weigh `hardNegativeWeight`, the rest 0.1 (or are the pool to draw from).
  public var useHardNegatives = false
  public var hardPoolSize = 20
  public var hardNegativeWeight: Float = 10

  public init() {}
}

/// The two ranking losses over one batch's scores and how they change with them.
struct RankingLoss {
  /// Queries against negative videos, and videos against negative queries; means over queries.
  private(set) var context: Float = 0
  private(set) var query: Float = 0
  /// ∂context / ∂score and ∂query / ∂score, [queries × videos].
  private(set) var contextGradient: [Float]
  private(set) var queryGradient: [Float]

  private let options: RankingOptions

  /// - Parameters:
  ///   - scores: [queries × videos], row-major.
  ///   - slots: the videos to rank, by column; a column may occur twice, and then counts as its own negative.
  ///   - queriesPerSlot: query m belongs to slot m / queriesPerSlot.
  ///   - random: draws the negative where not all count.
  init(
    scores: [Float], videos: Int, slots: [Int], queriesPerSlot: Int, options: RankingOptions,
    random: inout RandomStream
  ) {
    self.options = options
    contextGradient = [Float](repeating: 0, count: scores.count)
    queryGradient = contextGradient
    let queries = slots.count * queriesPerSlot
    precondition(scores.count == queries * videos)
    guard slots.count > 1 else { return }
    let share = 1 / Float(queries)
    for m in 0..<queries {
      let positive = m * videos + slots[m / queriesPerSlot]
      let negatives = slots.indices.filter { $0 != m / queriesPerSlot }.map { m * videos + slots[$0] }
      context += rank(scores, positive, negatives, share, &contextGradient, &random)
    }
    for (slot, video) in slots.enumerated() {
      let own = slot * queriesPerSlot..<(slot + 1) * queriesPerSlot
      let negatives = (0..<queries).filter { !own.contains($0) }.map { $0 * videos + video }
      // A video draws one negative for all its queries.
      let drawn = options.useAllNegatives ? nil : draw(scores, negatives, &random)
      for m in own {
        query += rank(
          scores, m * videos + video, drawn.map { [$0] } ?? negatives, share, &queryGradient, &random)
      }
    }
  }

  /// The place of one negative, from the hardest if so asked.
  private func draw(_ scores: [Float], _ negatives: [Int], _ random: inout RandomStream) -> Int {
    let sorted = hardestFirst(scores, negatives)
    let pool = options.useHardNegatives ? min(options.hardPoolSize, sorted.count) : sorted.count
    return sorted[Int.random(in: 0..<max(1, pool), using: &random)]
  }

  private func hardestFirst(_ scores: [Float], _ places: [Int]) -> [Int] {
    places.sorted { scores[$0] == scores[$1] ? $0 < $1 : scores[$0] > scores[$1] }
  }

  private func rank(
    _ scores: [Float], _ positive: Int, _ negatives: [Int], _ share: Float, _ gradient: inout [Float],
    _ random: inout RandomStream
  ) -> Float {
    var chosen = negatives
    if !options.useAllNegatives, negatives.count > 1 {
      chosen = [draw(scores, negatives, &random)]
    } else if options.useHardNegatives, options.useAllNegatives {
      chosen = hardestFirst(scores, negatives)
    }
    let mean = share / Float(chosen.count)
    var total: Float = 0
    for (place, negative) in chosen.enumerated() {
      var weight = mean
      if options.useHardNegatives, options.useAllNegatives {
        weight *= place < options.hardPoolSize ? options.hardNegativeWeight : 0.1
      }
      let difference = scores[negative] - scores[positive]
      let (loss, slope): (Float, Float)
      switch options.kind {
      case .hinge:
        loss = max(0, options.margin + difference)
        slope = loss > 0 ? 1 : 0
      case .lse:
        loss = difference > 0 ? difference + log1p(exp(-difference)) : log1p(exp(difference))
        slope = 1 / (1 + exp(-difference))
      }
      total += weight * loss
      gradient[negative] += weight * slope
      gradient[positive] -= weight * slope
    }
    return total
  }
}
