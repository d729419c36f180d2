/// One use of dropout: which of a step's random streams it draws from and how much it drops.
public struct Dropout: Sendable {
  public var seed: UInt64
  public var step: UInt32
  public var stream: UInt32
  /// 0 ..< 1, in steps of 1/65,536.
  public var probability: Float

  /// Elements whose 16 random bits lie below this are dropped; the others are scaled by 65,536 /
  /// (65,536 − threshold).
  public var threshold: UInt32 { UInt32((probability * 65_536).rounded()) }
}

/// Operations on rows, each by itself.
public protocol RowOperations {
  /// out[r] = Σ over terms of table[index[r]]; index −1 adds nothing, no indices means r itself.
  func gatherSum(_ terms: [(table: Tensor, indices: Indices?)], out: Tensor)
  /// to[index[r]] += from[r].
  func scatterAdd(_ from: Tensor, indices: Indices?, to: Tensor)
  /// Each element times its factor of 0 or 1 / (1 − p); `out` may be `x`, and the backward pass is
  /// the same operation.
  func dropout(_ x: Tensor, _ dropout: Dropout, out: Tensor)
  /// out[c, r] = x[r, c]; meant for the few columns of a prediction head.
  func transpose(_ x: Tensor, out: Tensor)
  /// out = dropout(gamma·(s − mean)/σ + beta) with s = residual + dropout(x). `sum` may share
  /// memory with x. `statistics`: [2, rows], means then inverse deviations.
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
  /// The place of the first of the largest of each row's first `columns` elements.
  func argmax(_ x: Tensor, columns: Int, places: Indices)
  /// The `values.columns` largest elements of each row and of what was found before, the largest
  /// first, with their columns, which count from `firstColumn`; of equals the first. A row with
  /// fewer numbers (not-a-numbers never count) is filled with −∞ and −1.
  /// - Parameter earlier: what earlier calls, for lower columns, found in the same rows; other
  ///   memory than the result's.
  func topK(
    _ x: Tensor, firstColumn: Int, earlier: (values: Tensor, places: Indices)?, values: Tensor,
    places: Indices)
}

extension RowOperations {
  /// The largest elements of each row of one tensor.
  public func topK(_ x: Tensor, values: Tensor, places: Indices) {
    topK(x, firstColumn: 0, earlier: nil, values: values, places: places)
  }
}
