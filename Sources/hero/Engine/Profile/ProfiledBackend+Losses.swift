extension ProfiledBackend {
  /// Logits are read, and written where their gradient takes their place.
  private func bytes(_ logits: Tensor, _ gradientScale: Float?, _ losses: Tensor) -> Int {
    logits.bytes * (gradientScale == nil ? 1 : 2) + losses.bytes
  }

  public func crossEntropy(
    _ logits: Tensor, columns: Int, targets: Indices, smoothing: Float, gradientScale: Float?, losses: Tensor
  ) {
    measured(.crossEntropy, bytes: bytes(logits, gradientScale, losses), shape: logits.shape) {
      base.crossEntropy(
        logits, columns: columns, targets: targets, smoothing: smoothing, gradientScale: gradientScale,
        losses: losses)
    }
  }

  public func segmentCrossEntropy(
    _ logits: Tensor, segments: Segments, targets: Indices, gradientScale: Float?, losses: Tensor
  ) {
    measured(.segmentCrossEntropy, bytes: bytes(logits, gradientScale, losses), shape: logits.shape) {
      base.segmentCrossEntropy(
        logits, segments: segments, targets: targets, gradientScale: gradientScale, losses: losses)
    }
  }

  public func binaryCrossEntropy(_ logits: Tensor, targets: Indices, gradientScale: Float?, losses: Tensor) {
    measured(.binaryCrossEntropy, bytes: bytes(logits, gradientScale, losses), shape: logits.shape) {
      base.binaryCrossEntropy(logits, targets: targets, gradientScale: gradientScale, losses: losses)
    }
  }

  public func distances(_ x: Tensor, targets: Tensor, gradientScale: Float?, losses: Tensor) {
    measured(.distances, bytes: bytes(x, gradientScale, losses) + targets.bytes, shape: x.shape) {
      base.distances(x, targets: targets, gradientScale: gradientScale, losses: losses)
    }
  }

  public func ranking(
    _ input: RankingInput, weights: (context: Float, query: Float), gradient: Tensor?, losses: Tensor
  ) {
    measured(
      .ranking, bytes: input.scores.bytes + gradient.bytes + losses.bytes, shape: input.scores.shape
    ) { base.ranking(input, weights: weights, gradient: gradient, losses: losses) }
  }

  public func addSum(_ x: Tensor, scale: Double, to sums: Tensor, at place: Int) {
    measured(.addSum, bytes: x.bytes, shape: x.shape) { base.addSum(x, scale: scale, to: sums, at: place) }
  }

  public func addSumOfSquares(_ x: Tensor, to sums: Tensor, at place: Int) {
    measured(.addSumOfSquares, bytes: x.bytes, shape: x.shape) {
      base.addSumOfSquares(x, to: sums, at: place)
    }
  }

  /// Reads weights, gradients and two moments, and writes all but the gradients.
  public func optimizerStep(
    _ kind: OptimizerKind, slices: [OptimizerSlice], parameters: Tensor, gradients: Tensor, first: Tensor,
    second: Tensor, betas: (Float, Float), epsilon: Float, clipping: GradientClipping?
  ) {
    let elements = slices.reduce(0) { $0 + $1.range.count }
    measured(.optimizerStep, bytes: 7 * 4 * elements, shape: [1, elements]) {
      base.optimizerStep(
        kind, slices: slices, parameters: parameters, gradients: gradients, first: first, second: second,
        betas: betas, epsilon: epsilon, clipping: clipping)
    }
  }
}
