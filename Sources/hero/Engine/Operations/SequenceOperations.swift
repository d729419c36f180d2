/// Which columns of which tensors an attention reads. Queries and keys may come from one product
/// (self-attention's fused q, k, v) or from two (cross-attention, or queries for a few rows only).
public struct AttentionInput {
  public var queries: Tensor
  public var queryColumn: Int
  public var keysValues: Tensor
  public var keyColumn: Int
  public var valueColumn: Int
  public var width: Int
  public var heads: Int
  public var querySegments: Segments
  /// The key and value rows of each sequence. In a backward pass they are disjoint and cover all
  /// rows.
  public var keyRanges: RowRanges
  /// Query i of a sequence sees keys 0 … i only.
  public var causal: Bool
  public var dropout: Dropout?
}

/// Operations on packed sequences.
public protocol SequenceOperations {
  /// out = dropout(softmax(QKᵀ/√d))·V for each head of each sequence: [queries, width]. A sequence
  /// without keys gives zeros.
  /// - Returns: what the device's backward pass wants kept (probabilities, or the logarithms of
  ///   their sums); it may be nothing where `keepsForBackward` is false.
  func attention(_ input: AttentionInput, keepsForBackward: Bool, out: Tensor) -> [Tensor]
  /// dq, dk and dv go to the columns of the inputs' gradients (written, not added).
  /// - Parameters:
  ///   - out: the forward pass's result.
  ///   - kept: what the forward pass returned.
  func attentionBackward(
    _ dy: Tensor, _ input: AttentionInput, out: Tensor, kept: [Tensor], dQueries: Tensor, dKeysValues: Tensor)
  /// out[s] = Σ softmax(scores over segment s)[r]·x[r]; scores: [rows, 1]. Empty segments give zero
  /// rows.
  func softmaxPool(_ x: Tensor, scores: Tensor, segments: Segments, weights: Tensor, out: Tensor)
  func softmaxPoolBackward(
    _ dy: Tensor, x: Tensor, segments: Segments, weights: Tensor, dx: GradientTarget?,
    dScores: GradientTarget?)
  /// out[m, s] = max over the columns of segment s of x[m, ·]; `places` remembers which, of equals
  /// the first. x: [m, segments.rows]. A segment with a NaN has the first of them, as in PyTorch;
  /// one without columns has 0 and −1.
  func segmentMax(_ x: Tensor, segments: Segments, places: Indices, out: Tensor)
  func segmentMaxBackward(_ dy: Tensor, segments: Segments, places: Indices, dx: GradientTarget)
  /// Pair p of query row p, or `queryRows[p]` where they are given, with rows `pairs[p]` of x:
  /// their dot products are segment p of `places`. out: [1, places.rows]. Pairs with given rows
  /// that share their rows of x are computed together.
  func pairDot(
    _ queries: Tensor, queryRows: Indices?, _ x: Tensor, pairs: RowRanges, places: Segments, out: Tensor)
  func pairDotBackward(
    _ dy: Tensor, _ queries: Tensor, _ x: Tensor, pairs: RowRanges, places: Segments,
    dQueries: GradientTarget?,
    dx: GradientTarget?)
  /// A centred 1-D convolution of every segment by itself, zeros outside. x, out: [1, rows];
  /// kernel: odd length.
  func convolve(_ x: Tensor, kernel: Tensor, segments: Segments, out: Tensor)
  func convolveBackward(
    _ dy: Tensor, x: Tensor, kernel: Tensor, segments: Segments, dx: GradientTarget?, dKernel: GradientTarget?
  )
  /// Each segment of x, [1, segments.rows], becomes its softmax.
  func segmentSoftmax(_ x: Tensor, segments: Segments)
}
