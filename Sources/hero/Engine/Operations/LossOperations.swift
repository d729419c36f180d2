/// Losses, which stay on the device until an update is over.
///
/// Each writes a loss a row to `losses` and, where a gradient scale is given, scale·∂loss/∂input
/// over its input.
public protocol LossOperations {
  /// The cross-entropies of rows against (1 − smoothing) on the target and smoothing / (columns −
  /// 1) elsewhere, as the divergence KL(target ‖ softmax) where smoothing > 0. Target −1 leaves a
  /// row out. Only the first `columns` columns count. losses: [1, rows].
  func crossEntropy(
    _ logits: Tensor, columns: Int, targets: Indices, smoothing: Float, gradientScale: Float?, losses: Tensor)
  /// The same over packed segments of each row: targets are places within the segment, row after
  /// row. losses: [1, rows · segments].
  func segmentCrossEntropy(
    _ logits: Tensor, segments: Segments, targets: Indices, gradientScale: Float?, losses: Tensor)
  /// −log σ(x) where the target is 1, −log(1 − σ(x)) where it is 0, nothing where it is −1. losses:
  /// [1, elements].
  func binaryCrossEntropy(_ logits: Tensor, targets: Indices, gradientScale: Float?, losses: Tensor)
  /// The L2 distance of each row of x from the same row of `targets`. Where it is 0 no direction is
  /// better than another, and the gradient is 0. losses: [1, rows].
  func distances(_ x: Tensor, targets: Tensor, gradientScale: Float?, losses: Tensor)
  /// Both ranking losses of a batch; see `RankingInput`.
  /// - Parameters:
  ///   - weights: of the two in the gradient.
  ///   - gradient: like the scores, written whole; nil where none is wanted.
  ///   - losses: [1, 2], float64: the means over the queries of the context loss and of the query
  ///     loss, without weights.
  func ranking(
    _ input: RankingInput, weights: (context: Float, query: Float), gradient: Tensor?, losses: Tensor)
  /// sums[place] += scale·Σ x. sums: float64.
  func addSum(_ x: Tensor, scale: Double, to sums: Tensor, at place: Int)
}

/// How a negative's score is compared with the positive's.
public enum RankingKind: String, Sendable, CaseIterable {
  /// max(0, margin + negative − positive)
  case hinge
  /// log(1 + exp(negative − positive))
  case lse
}

/// Queries ranked against negative videos (context loss), and videos against negative queries
/// (query loss).
public struct RankingInput {
  /// [queries, videos]
  public var scores: Tensor
  /// The videos to rank, by column: query m belongs to slot m / queriesPerSlot. A column may occur
  /// twice, and then counts as its own negative.
  public var slots: Indices
  public var queriesPerSlot: Int
  public var kind: RankingKind
  public var margin: Float
  /// Where given, the hardest `size` negatives weigh `weight`, the rest 0.1. Not with `drawn`.
  public var hardPool: (size: Int, weight: Float)?
  /// Where given, one negative counts for each query, and one for each slot's queries: its rank
  /// among the negatives, the hardest being 0; the queries' first, then the slots'.
  public var drawn: Indices?

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
