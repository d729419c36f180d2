import CCUDA
import Foundation

/// The comparison of a negative's score with the positive's.
public enum RankingKind: String, Sendable, CaseIterable {
  /// max(0, margin + negative − positive)
  case hinge
  /// log(1 + exp(negative − positive))
  case lse
}

/// The scores for ranking queries against negative videos (context loss) and videos against
/// negative queries (query loss).
public struct RankingInput {
  /// [queries, videos]
  public var scores: Tensor
  /// The columns of the videos to rank; query m belongs to slot m / queriesPerSlot.
  ///
  /// A column may occur twice, and then counts as its own negative.
  public var slots: Indices
  /// The number of queries of each slot.
  public var queriesPerSlot: Int
  /// The comparison of a negative's score with the positive's.
  public var kind: RankingKind
  /// The margin of the hinge; `lse` does not read it.
  public var margin: Float
  /// The number of hardest negatives and their weight, the rest weighing 0.1; nil with `drawn`.
  ///
  /// Not with `drawn`.
  public var hardPool: (size: Int, weight: Float)?
  /// The rank of the only negative that counts for each query, then for each slot's queries; nil if
  /// all count.
  ///
  /// Rank 0 is the hardest negative.
  public var drawn: Indices?

  /// - Precondition: `scores` has `queriesPerSlot` rows for each slot; `drawn`, if given, has one
  ///   entry per query and one per slot.
  public init(
    scores: Tensor, slots: Indices, queriesPerSlot: Int, kind: RankingKind, margin: Float,
    hardPool: (size: Int, weight: Float)? = nil, drawn: Indices? = nil
  ) {
    precondition(scores.rows == slots.count * queriesPerSlot)
    precondition(drawn == nil || drawn?.count == scores.rows + slots.count)
    self.scores = scores
    self.slots = slots
    self.queriesPerSlot = queriesPerSlot
    self.kind = kind
    self.margin = margin
    self.hardPool = hardPool
    self.drawn = drawn
  }
}

/// Both ranking losses of a batch.
package struct RankingLoss: Operation {
  package let input: RankingInput
  /// The weights of the two losses in the gradient.
  package let weights: (context: Float, query: Float)
  /// The gradient of the scores, written whole; nil if none is wanted.
  package let gradient: Tensor?
  /// The means over the queries of the context loss and of the query loss, unweighted: [1, 2],
  /// float64.
  package let losses: Tensor

  package func check() {
    precondition(input.slots.areBelow(input.scores.columns), "a slot without a column")
    precondition(gradient?.count ?? input.scores.count == input.scores.count && losses.count == 2)
  }

  package var reads: [(any Operand)?] { [input.scores, input.slots, input.drawn] }
  package var writes: [(any Operand)?] { [gradient, losses] }

  package func run(on cpu: CPUBackend) {
    var staged = Staged(cpu)
    defer { staged.finish() }
    let scores = staged.reading(input.scores)
    let pass = RankingPass(input, scores: UnsafeBufferPointer(start: scores.pointer, count: scores.count))
    losses.sums[0] = Double(pass.context)
    losses.sums[1] = Double(pass.query)
    guard let gradient else { return }
    for (place, parts) in zip(pass.contextGradient, pass.queryGradient).enumerated() {
      gradient.pointer[place] = weights.context * parts.0 + weights.query * parts.1
    }
  }

  package func run(on gpu: CUDABackend) {
    let (queries, slots) = (input.scores.rows, input.slots.count)
    let ranks = (gpu.makeIndices(count: queries * slots), gpu.makeIndices(count: queries * slots))
    var arguments = hero_ranking_arguments()
    (arguments.scores, arguments.slots, arguments.drawn) = (
      input.scores.view, input.slots.numbers.map { UnsafePointer($0) },
      input.drawn?.numbers.map { UnsafePointer($0) }
    )
    (arguments.context_ranks, arguments.query_ranks) = (ranks.0.numbers, ranks.1.numbers)
    (arguments.gradient, arguments.losses) = (gradient?.floats, losses.doubles)
    (arguments.queries, arguments.videos, arguments.slot_count) = (
      Int32(queries), Int32(input.scores.columns), Int32(slots)
    )
    (arguments.per_slot, arguments.is_hinge) = (Int32(input.queriesPerSlot), input.kind == .hinge ? 1 : 0)
    (arguments.pool_size, arguments.pool_weight) = (
      Int32(input.hardPool?.size ?? -1), input.hardPool?.weight ?? 1
    )
    (arguments.margin, arguments.context_weight, arguments.query_weight) = (
      input.margin, weights.context, weights.query
    )
    // A single video has no negatives.
    if slots <= 1 {
      gpu.run(Fill(losses, with: 0))
      if let gradient { gpu.run(Fill(gradient, with: 0)) }
      return
    }
    if input.drawn != nil || input.hardPool != nil {
      gpu.launch(.rankingRanks, elements: queries * slots, arguments)
    }
    gpu.launch(.rankingLosses, grid: (1, 1, 1), block: 256, arguments)
    if let gradient {
      precondition(gradient.count == input.scores.count)
      gpu.launch(.rankingGradient, elements: gradient.count, arguments)
    }
  }
}

/// The two ranking losses of a batch's scores and their gradients, on one thread, since a batch has
/// few scores.
private struct RankingPass {
  private(set) var context: Float = 0
  private(set) var query: Float = 0
  /// ∂context / ∂score and ∂query / ∂score.
  private(set) var contextGradient: [Float]
  private(set) var queryGradient: [Float]
  private let input: RankingInput
  private let scores: UnsafeBufferPointer<Float>

  init(_ input: RankingInput, scores: UnsafeBufferPointer<Float>) {
    (self.input, self.scores) = (input, scores)
    contextGradient = [Float](repeating: 0, count: scores.count)
    queryGradient = contextGradient
    let (slots, drawn) = (input.slots.onHost.map { Int($0) }, input.drawn?.onHost.map { Int($0) })
    let (width, queries) = (input.scores.columns, input.scores.rows)
    guard slots.count > 1 else { return }
    let share = 1 / Float(queries)
    for m in 0..<queries {
      let own = m / input.queriesPerSlot
      let negatives = slots.indices.filter { $0 != own }.map { m * width + slots[$0] }
      let chosen = chosen(negatives, drawn: drawn?[m])
      context += rank(m * width + slots[own], chosen, share, &contextGradient)
    }
    for (slot, video) in slots.enumerated() {
      let own = slot * input.queriesPerSlot..<(slot + 1) * input.queriesPerSlot
      let negatives = (0..<queries).filter { !own.contains($0) }.map { $0 * width + video }
      let chosen = chosen(negatives, drawn: drawn?[queries + slot])
      for m in own { query += rank(m * width + video, chosen, share, &queryGradient) }
    }
  }

  /// Returns the negatives that count, the hardest first if the order matters.
  private func chosen(_ negatives: [Int], drawn: Int?) -> [Int] {
    guard drawn != nil || input.hardPool != nil else { return negatives }
    let sorted = negatives.sorted { scores[$0] == scores[$1] ? $0 < $1 : scores[$0] > scores[$1] }
    return drawn.map { [sorted[$0]] } ?? sorted
  }

  private func rank(_ positive: Int, _ negatives: [Int], _ share: Float, _ gradient: inout [Float]) -> Float {
    let mean = share / Float(negatives.count)
    var total: Float = 0
    for (place, negative) in negatives.enumerated() {
      var weight = mean
      if let pool = input.hardPool { weight *= place < pool.size ? pool.weight : 0.1 }
      let difference = scores[negative] - scores[positive]
      let (loss, slope): (Float, Float)
      switch input.kind {
      case .hinge:
        // Not `max`, which would turn NaN into 0.
        loss = input.margin + difference < 0 ? 0 : input.margin + difference
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
