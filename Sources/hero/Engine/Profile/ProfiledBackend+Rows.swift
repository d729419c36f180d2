extension ProfiledBackend {
  /// Of tables only the rows that are taken are read.
  public func gatherSum(_ terms: [(table: Tensor, indices: Indices?)], out: Tensor) {
    measured(.gatherSum, bytes: (terms.count + 1) * out.bytes, shape: out.shape) {
      base.gatherSum(terms, out: out)
    }
  }

  public func scatterAdd(_ from: Tensor, indices: Indices?, to: Tensor) {
    measured(.scatterAdd, bytes: 3 * from.bytes, shape: from.shape) {
      base.scatterAdd(from, indices: indices, to: to)
    }
  }

  public func dropout(_ x: Tensor, _ dropout: Dropout, out: Tensor) {
    measured(.dropout, bytes: x.bytes + out.bytes, shape: x.shape) { base.dropout(x, dropout, out: out) }
  }

  public func transpose(_ x: Tensor, out: Tensor) {
    measured(.transpose, bytes: x.bytes + out.bytes, shape: x.shape) { base.transpose(x, out: out) }
  }

  public func layerNorm(
    _ x: Tensor, residual: Tensor?, gamma: Tensor, beta: Tensor, epsilon: Float, inner: Dropout?,
    outer: Dropout?, sum: Tensor, statistics: Tensor, out: Tensor
  ) {
    let kept = residual == nil && inner == nil ? 0 : sum.bytes
    measured(
      .layerNorm, bytes: x.bytes + residual.bytes + kept + statistics.bytes + out.bytes, shape: x.shape
    ) {
      base.layerNorm(
        x, residual: residual, gamma: gamma, beta: beta, epsilon: epsilon, inner: inner, outer: outer,
        sum: sum, statistics: statistics, out: out)
    }
  }

  public func layerNormBackward(
    _ dy: Tensor, sum: Tensor, statistics: Tensor, gamma: Tensor, inner: Dropout?, outer: Dropout?,
    dx: GradientTarget?, dResidual: GradientTarget?, dGamma: GradientTarget, dBeta: GradientTarget
  ) {
    measured(
      .layerNormBackward,
      bytes: dy.bytes + sum.bytes + statistics.bytes + dx.bytes + dResidual.bytes + dGamma.bytes
        + dBeta.bytes,
      shape: sum.shape
    ) {
      base.layerNormBackward(
        dy, sum: sum, statistics: statistics, gamma: gamma, inner: inner, outer: outer, dx: dx,
        dResidual: dResidual, dGamma: dGamma, dBeta: dBeta)
    }
  }

  public func normalizeRows(_ x: Tensor, floor: Float, lengths: Tensor, out: Tensor) {
    measured(.normalizeRows, bytes: x.bytes + lengths.bytes + out.bytes, shape: x.shape) {
      base.normalizeRows(x, floor: floor, lengths: lengths, out: out)
    }
  }

  public func normalizeRowsBackward(
    _ dy: Tensor, out: Tensor, floor: Float, lengths: Tensor, dx: GradientTarget
  ) {
    measured(
      .normalizeRowsBackward, bytes: dy.bytes + out.bytes + lengths.bytes + dx.bytes, shape: out.shape
    ) { base.normalizeRowsBackward(dy, out: out, floor: floor, lengths: lengths, dx: dx) }
  }

  public func argmax(_ x: Tensor, columns: Int, places: Indices) {
    measured(.argmax, bytes: x.rows * columns * x.storage.type.size + places.bytes, shape: x.shape) {
      base.argmax(x, columns: columns, places: places)
    }
  }

  public func topK(
    _ x: Tensor, firstColumn: Int, earlier: (values: Tensor, places: Indices)?, values: Tensor,
    places: Indices
  ) {
    let before = earlier.map { $0.values.bytes + $0.places.bytes } ?? 0
    measured(.topK, bytes: x.bytes + before + values.bytes + places.bytes, shape: x.shape) {
      base.topK(x, firstColumn: firstColumn, earlier: earlier, values: values, places: places)
    }
  }
}
