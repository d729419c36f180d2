/// What may follow a linear layer, fused with it.
public enum Activation: Sendable {
  case none, relu
  /// x·Φ(x), exact (erf).
  case gelu
}

/// One use of dropout: which of a step's random streams it draws from and how much it drops.
public struct Dropout: Sendable {
  public var seed: UInt64
  public var step: UInt32
  public var stream: UInt32
  /// 0 ..< 1, in steps of 1/65,536.
  public var probability: Float

  /// Elements whose 16 random bits lie below this are dropped; the others are scaled by 65,536 / (65,536 − threshold).
  public var threshold: UInt32 { UInt32((probability * 65_536).rounded()) }
}

/// Which columns of which tensors an attention reads. Queries and keys may come from one product (self-attention's
/// fused q, k, v) or from two (cross-attention, or queries for a few rows only).
public struct AttentionInput {
  public var queries: Tensor
  public var queryColumn: Int
  public var keysValues: Tensor
  public var keyColumn: Int
  public var valueColumn: Int
  public var width: Int
  public var heads: Int
  public var querySegments: Segments
  /// The key and value rows of each sequence. In a backward pass they are disjoint and cover all rows.
  public var keyRanges: [Range<Int>]
  /// Query i of a sequence sees keys 0 … i only.
  public var causal: Bool
  public var dropout: Dropout?

  /// Stored probabilities: per sequence, per head, per query a row of keys rounded up to 16.
  public var probabilityCount: Int {
    var total = 0
    for i in 0..<querySegments.count {
      total += querySegments[i].count * ((keyRanges[i].count + 15) & ~15)
    }
    return total * heads
  }
}

/// Adam's settings for one run of parameters with the same history and decay.
public struct OptimizerSlice {
  public var range: Range<Int>
  public var weightDecay: Float
  public var learningRate: Float
  /// Updates these parameters have seen, this one included.
  public var step: Int
}

public enum OptimizerKind: String, Sendable, CaseIterable {
  case adam, adamax, adamw
}

/// The short list of fused operations that model code stands on. CPU is one implementation, CUDA another.
///
/// Shapes are preconditions (a mismatch is a programmer's error; what comes from files was checked before). Outputs are
/// written whole unless a `GradientTarget` says to accumulate. No operation allocates beyond the backend's reused
/// buffers, and none depends on how sequences are batched.
public protocol Backend: AnyObject {
  /// What runs the operations: processor, kernels, threads.
  var summary: String { get }
  /// Bytes of tensor memory held at most so far, and now.
  var memory: (peak: Int, now: Int) { get }

  /// Multiplications and additions that products (attention's included) have done so far.
  var operations: Int { get }
  /// The best rate of large float32 products here, in operations a second: what `operations` compare with.
  func measurePeak() -> Double

  // MARK: Memory
  /// Memory for `count` elements, whose values are whatever was there.
  func makeStorage(count: Int) -> Storage
  func upload(_ values: UnsafeBufferPointer<Float>, to tensor: Tensor)
  func download(_ tensor: Tensor, to values: UnsafeMutableBufferPointer<Float>)
  func fill(_ tensor: Tensor, with value: Float)
  /// y += x
  func add(_ x: Tensor, to y: Tensor)
  func copy(_ x: Tensor, to y: Tensor)
  func scale(_ x: Tensor, by factor: Float)
  func sumOfSquares(_ x: Tensor) -> Double

  // MARK: Products
  /// out = activation(x·weightᵀ + bias); `pre` receives the argument of a GELU for its backward pass (it may be `out`
  /// where none will follow). x: [n, k], weight: [m, k], bias: m elements.
  func linear(_ x: Tensor, weight: Tensor, bias: Tensor?, activation: Activation, pre: Tensor, out: Tensor)
  /// `dy` is overwritten with the gradient of the activation's argument. `saved`: `pre` of a GELU, `out` of a ReLU.
  /// `dx` is done before `dWeight`: of x·xᵀ both are one tensor, and the second adds to what the first wrote.
  func linearBackward(
    _ dy: Tensor, x: Tensor, weight: Tensor, activation: Activation, saved: Tensor, dx: GradientTarget?,
    dWeight: GradientTarget?, dBias: GradientTarget?)
  /// What a backward pass needs of a GELU whose results were not kept: out = gelu(pre), and `dy` becomes the gradient of
  /// its argument `pre`.
  func geluAgain(_ pre: Tensor, dy: Tensor, out: Tensor)

  // MARK: Rows
  /// out[r] = Σ over terms of table[index[r]]; index −1 adds nothing, no indices means r itself.
  func gatherSum(_ terms: [(table: Tensor, indices: Indices?)], out: Tensor)
  /// to[index[r]] += from[r].
  func scatterAdd(_ from: Tensor, indices: Indices?, to: Tensor)
  /// Each element times its factor of 0 or 1 / (1 − p); `out` may be `x`, and the backward pass is the same operation.
  func dropout(_ x: Tensor, _ dropout: Dropout, out: Tensor)
  /// out[c, r] = x[r, c]; meant for the few columns of a prediction head.
  func transpose(_ x: Tensor, out: Tensor)
  /// out = dropout(gamma·(s − mean)/σ + beta) with s = residual + dropout(x). `sum` may share memory with x.
  /// `statistics`: [2, rows], means then inverse deviations.
  func layerNorm(
    _ x: Tensor, residual: Tensor?, gamma: Tensor, beta: Tensor, epsilon: Float, inner: Dropout?,
    outer: Dropout?,
    sum: Tensor, statistics: Tensor, out: Tensor)
  func layerNormBackward(
    _ dy: Tensor, sum: Tensor, statistics: Tensor, gamma: Tensor, inner: Dropout?, outer: Dropout?,
    dx: GradientTarget?, dResidual: GradientTarget?, dGamma: GradientTarget, dBeta: GradientTarget)
  /// Rows to unit length; lengths below `floor` count as `floor`. `lengths`: [1, rows].
  func normalizeRows(_ x: Tensor, floor: Float, lengths: Tensor, out: Tensor)
  func normalizeRowsBackward(
    _ dy: Tensor, out: Tensor, floor: Float, lengths: Tensor, dx: GradientTarget)

  // MARK: Sequences
  /// out = dropout(softmax(QKᵀ/√d))·V for each head of each sequence: [queries, width]. `probabilities`, before dropout,
  /// are kept for the backward pass. A sequence without keys gives zeros.
  func attention(_ input: AttentionInput, probabilities: Tensor, out: Tensor)
  /// dq, dk and dv go to the columns of the inputs' gradients (written, not added).
  func attentionBackward(
    _ dy: Tensor, _ input: AttentionInput, probabilities: Tensor, dQueries: Tensor, dKeysValues: Tensor)
  /// out[s] = Σ softmax(scores over segment s)[r]·x[r]; scores: [rows, 1]. Empty segments give zero rows.
  func softmaxPool(_ x: Tensor, scores: Tensor, segments: Segments, weights: Tensor, out: Tensor)
  func softmaxPoolBackward(
    _ dy: Tensor, x: Tensor, segments: Segments, weights: Tensor, dx: GradientTarget?,
    dScores: GradientTarget?)
  /// out[m, s] = max over the columns of segment s of x[m, ·]; `places` remembers which. x: [m, segments.rows].
  func segmentMax(_ x: Tensor, segments: Segments, places: Tensor, out: Tensor)
  func segmentMaxBackward(_ dy: Tensor, segments: Segments, places: Tensor, dx: GradientTarget)
  /// Pair p of query row p with rows `pairs[p]` of x: out holds their dot products end to end, one per row: [1, Σ].
  func pairDot(_ queries: Tensor, _ x: Tensor, pairs: [Range<Int>], out: Tensor)
  func pairDotBackward(
    _ dy: Tensor, _ queries: Tensor, _ x: Tensor, pairs: [Range<Int>], dQueries: GradientTarget?,
    dx: GradientTarget?)
  /// A centred 1-D convolution of every segment by itself, zeros outside. x, out: [1, rows]; kernel: odd length.
  func convolve(_ x: Tensor, kernel: Tensor, segments: Segments, out: Tensor)
  func convolveBackward(
    _ dy: Tensor, x: Tensor, kernel: Tensor, segments: Segments, dx: GradientTarget?, dKernel: GradientTarget?
  )

  /// The first of the largest of each row's first `columns` elements.
  func argmax(_ x: Tensor, columns: Int) -> [Int32]

  // MARK: Losses
  /// Σ of the cross-entropies of rows against (1 − smoothing) on the target and smoothing / (columns − 1) elsewhere, as
  /// the divergence KL(target ‖ softmax) where smoothing > 0. Target −1 leaves a row out. With `gradientScale` the
  /// logits are overwritten by scale·∂loss/∂logits. Only the first `columns` columns count.
  func crossEntropy(
    _ logits: Tensor, columns: Int, targets: Indices, smoothing: Float, gradientScale: Float?,
    rowLosses: UnsafeMutableBufferPointer<Float>)
  /// The same over packed segments of each row: targets are places within the segment, row after row.
  func segmentCrossEntropy(
    _ logits: Tensor, segments: Segments, targets: Indices, gradientScale: Float?,
    rowLosses: UnsafeMutableBufferPointer<Float>)

  // MARK: Updates
  /// One update of the slices of `parameters`; `first` and `second` are the moments in the same places, and every
  /// gradient is multiplied by `gradientScale` first.
  func optimizerStep(
    _ kind: OptimizerKind, slices: [OptimizerSlice], parameters: Tensor, gradients: Tensor, first: Tensor,
    second: Tensor, betas: (Float, Float), epsilon: Float, gradientScale: Float)
}

extension Backend {
  public func makeTensor(rows: Int, columns: Int) -> Tensor {
    Tensor(rows: rows, columns: columns, storage: makeStorage(count: rows * columns))
  }

  /// A matrix with these elements, row by row.
  public func makeTensor(_ values: [Float], rows: Int, columns: Int) -> Tensor {
    precondition(values.count == rows * columns)
    let tensor = makeTensor(rows: rows, columns: columns)
    values.withUnsafeBufferPointer { upload($0, to: tensor) }
    return tensor
  }

  /// The elements, row by row.
  public func values(of tensor: Tensor) -> [Float] {
    [Float](unsafeUninitializedCapacity: tensor.count) { buffer, count in
      download(tensor, to: UnsafeMutableBufferPointer(rebasing: buffer[..<tensor.count]))
      count = tensor.count
    }
  }
}
