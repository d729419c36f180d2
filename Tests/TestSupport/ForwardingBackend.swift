import Engine

/// A backend that hands every operation on, for those that change some.
open class ForwardingBackend: Backend, @unchecked Sendable {
  public let base: any Backend

  public init(_ base: any Backend) { self.base = base }

  public var summary: String { base.summary }
  public var link: (any DeviceLink)? { base.link }
  public var limits: BackendLimits { base.limits }

  // Memory
  public var memory: (peak: Int, now: Int) { base.memory }
  public var precision: Precision { base.precision }
  public var stepsBetweenReads: Int { base.stepsBetweenReads }
  public func makeStorage(count: Int, type: ElementType) -> Storage {
    base.makeStorage(count: count, type: type)
  }
  public func makeWeights(count: Int) -> Storage { base.makeWeights(count: count) }
  public func upload(_ values: UnsafeBufferPointer<Float>, to tensor: Tensor) {
    base.upload(values, to: tensor)
  }
  public func download(_ tensor: Tensor, to values: UnsafeMutableBufferPointer<Float>) {
    base.download(tensor, to: values)
  }
  public func upload(_ values: UnsafeBufferPointer<Int32>, to indices: Indices) {
    base.upload(values, to: indices)
  }
  public func download(_ indices: Indices, to values: UnsafeMutableBufferPointer<Int32>) {
    base.download(indices, to: values)
  }
  public func numbers(of tensors: [Tensor]) -> [Double] { base.numbers(of: tensors) }
  public func synchronize() { base.synchronize() }
  public func fill(_ tensor: Tensor, with value: Float) { base.fill(tensor, with: value) }
  public func add(_ x: Tensor, to y: Tensor) { base.add(x, to: y) }
  public func copy(_ x: Tensor, to y: Tensor) { base.copy(x, to: y) }
  public func scale(_ x: Tensor, by factor: Float) { base.scale(x, by: factor) }

  // Product
  public var operations: Int { base.operations }
  public func measurePeak() -> Double { base.measurePeak() }
  public func linear(
    _ x: Tensor, weight: Tensor, bias: Tensor?, activation: Activation, pre: Tensor, out: Tensor
  ) { base.linear(x, weight: weight, bias: bias, activation: activation, pre: pre, out: out) }
  public func linearBackward(
    _ dy: Tensor, x: Tensor, weight: Tensor, activation: Activation, saved: Tensor, dx: GradientTarget?,
    dWeight: GradientTarget?, dBias: GradientTarget?
  ) {
    base.linearBackward(
      dy, x: x, weight: weight, activation: activation, saved: saved, dx: dx, dWeight: dWeight, dBias: dBias)
  }
  public func geluAgain(_ pre: Tensor, dy: Tensor, out: Tensor) { base.geluAgain(pre, dy: dy, out: out) }

  // Row
  public func gatherSum(_ terms: [(table: Tensor, indices: Indices?)], out: Tensor) {
    base.gatherSum(terms, out: out)
  }
  public func scatterAdd(_ from: Tensor, indices: Indices?, to: Tensor) {
    base.scatterAdd(from, indices: indices, to: to)
  }
  public func dropout(_ x: Tensor, _ dropout: Dropout, out: Tensor) { base.dropout(x, dropout, out: out) }
  public func transpose(_ x: Tensor, out: Tensor) { base.transpose(x, out: out) }
  public func layerNorm(
    _ x: Tensor, residual: Tensor?, gamma: Tensor, beta: Tensor, epsilon: Float, inner: Dropout?,
    outer: Dropout?, sum: Tensor, statistics: Tensor, out: Tensor
  ) {
    base.layerNorm(
      x, residual: residual, gamma: gamma, beta: beta, epsilon: epsilon, inner: inner, outer: outer, sum: sum,
      statistics: statistics, out: out)
  }
  public func layerNormBackward(
    _ dy: Tensor, sum: Tensor, statistics: Tensor, gamma: Tensor, inner: Dropout?, outer: Dropout?,
    dx: GradientTarget?, dResidual: GradientTarget?, dGamma: GradientTarget, dBeta: GradientTarget
  ) {
    base.layerNormBackward(
      dy, sum: sum, statistics: statistics, gamma: gamma, inner: inner, outer: outer, dx: dx,
      dResidual: dResidual, dGamma: dGamma, dBeta: dBeta)
  }
  public func normalizeRows(_ x: Tensor, floor: Float, lengths: Tensor, out: Tensor) {
    base.normalizeRows(x, floor: floor, lengths: lengths, out: out)
  }
  public func normalizeRowsBackward(
    _ dy: Tensor, out: Tensor, floor: Float, lengths: Tensor, dx: GradientTarget
  ) { base.normalizeRowsBackward(dy, out: out, floor: floor, lengths: lengths, dx: dx) }
  public func argmax(_ x: Tensor, columns: Int, places: Indices) {
    base.argmax(x, columns: columns, places: places)
  }
  public func topK(
    _ x: Tensor, firstColumn: Int, earlier: (values: Tensor, places: Indices)?, values: Tensor,
    places: Indices
  ) { base.topK(x, firstColumn: firstColumn, earlier: earlier, values: values, places: places) }

  // Sequence
  public func attention(_ input: AttentionInput, keepsForBackward: Bool, out: Tensor) -> [Tensor] {
    base.attention(input, keepsForBackward: keepsForBackward, out: out)
  }
  public func attentionBackward(
    _ dy: Tensor, _ input: AttentionInput, out: Tensor, kept: [Tensor], dQueries: Tensor, dKeysValues: Tensor
  ) { base.attentionBackward(dy, input, out: out, kept: kept, dQueries: dQueries, dKeysValues: dKeysValues) }
  public func softmaxPool(_ x: Tensor, scores: Tensor, segments: Segments, weights: Tensor, out: Tensor) {
    base.softmaxPool(x, scores: scores, segments: segments, weights: weights, out: out)
  }
  public func softmaxPoolBackward(
    _ dy: Tensor, x: Tensor, segments: Segments, weights: Tensor, dx: GradientTarget?,
    dScores: GradientTarget?
  ) { base.softmaxPoolBackward(dy, x: x, segments: segments, weights: weights, dx: dx, dScores: dScores) }
  open func segmentMax(_ x: Tensor, segments: Segments, places: Indices, out: Tensor) {
    base.segmentMax(x, segments: segments, places: places, out: out)
  }
  public func segmentMaxBackward(_ dy: Tensor, segments: Segments, places: Indices, dx: GradientTarget) {
    base.segmentMaxBackward(dy, segments: segments, places: places, dx: dx)
  }
  public func pairDot(
    _ queries: Tensor, queryRows: Indices?, _ x: Tensor, pairs: RowRanges, places: Segments, out: Tensor
  ) { base.pairDot(queries, queryRows: queryRows, x, pairs: pairs, places: places, out: out) }
  public func pairDotBackward(
    _ dy: Tensor, _ queries: Tensor, _ x: Tensor, pairs: RowRanges, places: Segments,
    dQueries: GradientTarget?, dx: GradientTarget?
  ) { base.pairDotBackward(dy, queries, x, pairs: pairs, places: places, dQueries: dQueries, dx: dx) }
  public func convolve(_ x: Tensor, kernel: Tensor, segments: Segments, out: Tensor) {
    base.convolve(x, kernel: kernel, segments: segments, out: out)
  }
  public func convolveBackward(
    _ dy: Tensor, x: Tensor, kernel: Tensor, segments: Segments, dx: GradientTarget?, dKernel: GradientTarget?
  ) { base.convolveBackward(dy, x: x, kernel: kernel, segments: segments, dx: dx, dKernel: dKernel) }
  public func segmentSoftmax(_ x: Tensor, segments: Segments) { base.segmentSoftmax(x, segments: segments) }

  // Loss
  public func crossEntropy(
    _ logits: Tensor, columns: Int, targets: Indices, smoothing: Float, gradientScale: Float?, losses: Tensor
  ) {
    base.crossEntropy(
      logits, columns: columns, targets: targets, smoothing: smoothing, gradientScale: gradientScale,
      losses: losses)
  }
  public func segmentCrossEntropy(
    _ logits: Tensor, segments: Segments, targets: Indices, gradientScale: Float?, losses: Tensor
  ) {
    base.segmentCrossEntropy(
      logits, segments: segments, targets: targets, gradientScale: gradientScale, losses: losses)
  }
  public func binaryCrossEntropy(_ logits: Tensor, targets: Indices, gradientScale: Float?, losses: Tensor) {
    base.binaryCrossEntropy(logits, targets: targets, gradientScale: gradientScale, losses: losses)
  }
  public func distances(_ x: Tensor, targets: Tensor, gradientScale: Float?, losses: Tensor) {
    base.distances(x, targets: targets, gradientScale: gradientScale, losses: losses)
  }
  open func ranking(
    _ input: RankingInput, weights: (context: Float, query: Float), gradient: Tensor?, losses: Tensor
  ) { base.ranking(input, weights: weights, gradient: gradient, losses: losses) }
  public func addSum(_ x: Tensor, scale: Double, to sums: Tensor, at place: Int) {
    base.addSum(x, scale: scale, to: sums, at: place)
  }

  // Update
  public func addSumOfSquares(_ x: Tensor, to sums: Tensor, at place: Int) {
    base.addSumOfSquares(x, to: sums, at: place)
  }
  public func optimizerStep(
    _ kind: OptimizerKind, slices: [OptimizerSlice], parameters: Tensor, gradients: Tensor, first: Tensor,
    second: Tensor, betas: (Float, Float), epsilon: Float, clipping: GradientClipping?
  ) {
    base.optimizerStep(
      kind, slices: slices, parameters: parameters, gradients: gradients, first: first, second: second,
      betas: betas, epsilon: epsilon, clipping: clipping)
  }
}
