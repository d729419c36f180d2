extension AttentionInput {
  /// Of queries, keys and values, the columns that are read.
  fileprivate var bytes: Int {
    width * (queries.rows * queries.storage.type.size + 2 * keysValues.rows * keysValues.storage.type.size)
  }
}

extension ProfiledBackend {
  public func attention(_ input: AttentionInput, keepsForBackward: Bool, out: Tensor) -> [Tensor] {
    measured(.attention, bytes: input.bytes + out.bytes, shape: out.shape) {
      base.attention(input, keepsForBackward: keepsForBackward, out: out)
    }
  }

  public func attentionBackward(
    _ dy: Tensor, _ input: AttentionInput, out: Tensor, kept: [Tensor], dQueries: Tensor, dKeysValues: Tensor
  ) {
    let saved = kept.reduce(0) { $0 + $1.bytes }
    measured(.attentionBackward, bytes: dy.bytes + 2 * input.bytes + saved, shape: out.shape) {
      base.attentionBackward(dy, input, out: out, kept: kept, dQueries: dQueries, dKeysValues: dKeysValues)
    }
  }

  public func softmaxPool(_ x: Tensor, scores: Tensor, segments: Segments, weights: Tensor, out: Tensor) {
    measured(.softmaxPool, bytes: x.bytes + scores.bytes + weights.bytes + out.bytes, shape: x.shape) {
      base.softmaxPool(x, scores: scores, segments: segments, weights: weights, out: out)
    }
  }

  public func softmaxPoolBackward(
    _ dy: Tensor, x: Tensor, segments: Segments, weights: Tensor, dx: GradientTarget?,
    dScores: GradientTarget?
  ) {
    measured(
      .softmaxPoolBackward, bytes: dy.bytes + x.bytes + weights.bytes + dx.bytes + dScores.bytes,
      shape: x.shape
    ) {
      base.softmaxPoolBackward(dy, x: x, segments: segments, weights: weights, dx: dx, dScores: dScores)
    }
  }

  public func segmentMax(_ x: Tensor, segments: Segments, places: Indices, out: Tensor) {
    measured(.segmentMax, bytes: x.bytes + places.bytes + out.bytes, shape: x.shape) {
      base.segmentMax(x, segments: segments, places: places, out: out)
    }
  }

  public func segmentMaxBackward(_ dy: Tensor, segments: Segments, places: Indices, dx: GradientTarget) {
    measured(.segmentMaxBackward, bytes: dy.bytes + places.bytes + dx.bytes, shape: dy.shape) {
      base.segmentMaxBackward(dy, segments: segments, places: places, dx: dx)
    }
  }

  public func pairDot(
    _ queries: Tensor, queryRows: Indices?, _ x: Tensor, pairs: RowRanges, places: Segments, out: Tensor
  ) {
    measured(.pairDot, bytes: queries.bytes + x.bytes + out.bytes, shape: [pairs.count, x.columns]) {
      base.pairDot(queries, queryRows: queryRows, x, pairs: pairs, places: places, out: out)
    }
  }

  public func pairDotBackward(
    _ dy: Tensor, _ queries: Tensor, _ x: Tensor, pairs: RowRanges, places: Segments,
    dQueries: GradientTarget?, dx: GradientTarget?
  ) {
    measured(
      .pairDotBackward, bytes: dy.bytes + queries.bytes + x.bytes + dQueries.bytes + dx.bytes, shape: x.shape
    ) {
      base.pairDotBackward(dy, queries, x, pairs: pairs, places: places, dQueries: dQueries, dx: dx)
    }
  }

  public func convolve(_ x: Tensor, kernel: Tensor, segments: Segments, out: Tensor) {
    measured(.convolve, bytes: x.bytes + kernel.bytes + out.bytes, shape: x.shape) {
      base.convolve(x, kernel: kernel, segments: segments, out: out)
    }
  }

  public func convolveBackward(
    _ dy: Tensor, x: Tensor, kernel: Tensor, segments: Segments, dx: GradientTarget?,
    dKernel: GradientTarget?
  ) {
    measured(.convolveBackward, bytes: dy.bytes + x.bytes + dx.bytes + dKernel.bytes, shape: x.shape) {
      base.convolveBackward(dy, x: x, kernel: kernel, segments: segments, dx: dx, dKernel: dKernel)
    }
  }

  public func segmentSoftmax(_ x: Tensor, segments: Segments) {
    measured(.segmentSoftmax, bytes: 2 * x.bytes, shape: x.shape) {
      base.segmentSoftmax(x, segments: segments)
    }
  }
}
