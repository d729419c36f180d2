extension Tape {
  /// Returns activation(x·weightᵀ + bias).
  /// - Parameters:
  ///   - x: [n, k]
  ///   - weight: [m, k]; need not be a parameter (scores are products of two results).
  ///   - bias: m elements
  /// - Returns: [n, m]
  public func linear(
    _ x: Tensor, _ weight: Tensor, _ bias: Tensor? = nil, activation: Activation = .none
  ) -> Tensor {
    // Scores, and predictions of few columns, are compared with one another, so they stay float32.
    let isScore = weight.parameters.isEmpty || weight.rows < 8
    let out = output(
      rows: x.rows, columns: weight.rows, from: [x, weight, bias], type: isScore ? .float32 : nil)
    precondition(activation != .quickGELU || !out.needsGradient)
    // Without a backward pass, a GELU's argument may share the memory of its result.
    let pre =
      activation == .gelu && out.needsGradient
      ? makeTensor(like: out) : out
    backend.run(
      Product(
        x, weight: weight, bias: bias, activation: activation, pre: pre, keepsWeight: !isTraining, out: out))
    let argument = pre.withoutGradient
    let pending = PendingBias(bias)
    if activation == .none { out.pendingBias = pending }
    record(out) { [unowned self] dy in
      if activation != .none {
        backend.run(
          Slope(dy: dy, argument: argument, activation: activation, bias: target(pending.take())))
      }
      backward(dy, x, weight, pending.take())
    }
    return out
  }

  /// Goes back through x·weightᵀ + bias.
  ///
  /// For x·xᵀ both products go to one tensor, and the second adds to the first.
  func backward(_ dy: Tensor, _ x: Tensor, _ weight: Tensor, _ bias: Tensor?) {
    if let dBias = target(bias) { backend.run(ColumnSums(x: dy, out: dBias)) }
    if let dx = target(x) { backend.run(Product(.init(dy), .init(weight), to: dx)) }
    if let dWeight = target(weight) {
      backend.run(Product(.init(dy, transposed: true), .init(x), to: dWeight))
    }
  }

  /// Returns dropout(LN(residual + dropout(x))), the end of a transformer sublayer or an embedding.
  /// - Parameters:
  ///   - x: [n, d]
  ///   - residual: [n, d]
  ///   - gamma: d elements, as is `beta`.
  ///   - innerDropout: the probability for x before the sum; `outerDropout` is that for the result.
  ///   - overwriting: whether the sum may overwrite x, which nothing else uses then.
  public func layerNorm(
    _ x: Tensor, residual: Tensor? = nil, _ gamma: Tensor, _ beta: Tensor, epsilon: Float,
    innerDropout: Float = 0,
    outerDropout: Float = 0, overwriting: Bool = false
  ) -> Tensor {
    precondition(x !== residual, "two gradients would go to one place")
    let out = output(rows: x.rows, columns: x.columns, from: [x, residual, gamma, beta])
    let (inner, outer) = (dropout(innerDropout), dropout(outerDropout))
    let untouched = residual == nil && inner == nil
    // Without a backward pass, nothing reads the sum.
    let sum =
      !out.needsGradient && !untouched
      ? out.withoutGradient : untouched || overwriting ? x.withoutGradient : makeTensor(like: out)
    let statistics = backend.makeTensor(rows: 2, columns: x.rows)
    backend.run(
      LayerNorm(
        x: x, residual: residual, gamma: gamma, beta: beta, epsilon: epsilon, inner: inner, outer: outer,
        sum: sum, statistics: statistics, out: out))
    if out.needsGradient {
      // The statistics are those of the sum as it is stored, so they come out the same.
      out.remake = { [unowned self, unowned out] in
        backend.run(
          LayerNorm(
            x: sum, residual: nil, gamma: gamma, beta: beta, epsilon: epsilon, inner: nil, outer: outer,
            sum: sum, statistics: statistics, out: out))
      }
    }
    // The only reader of x makes its whole gradient and can sum its columns at once.
    let bias = overwriting && out.needsGradient ? x.pendingBias?.take() : nil
    record(out) { [unowned self] dy in
      guard let dGamma = target(gamma), let dBeta = target(beta) else {
        preconditionFailure("norms are trained")
      }
      backend.run(
        LayerNormBackward(
          dy: dy, sum: sum, statistics: statistics, gamma: gamma, inner: inner, outer: outer, dx: target(x),
          dResidual: target(residual), dGamma: dGamma, dBeta: dBeta, dBias: target(bias)))
    }
    return out
  }

  /// Returns Σ over terms of table[index[r]], for embeddings, gathers, merged sequences and sums.
  ///
  /// Index −1 adds nothing; a term without indices adds its row r.
  /// - Returns: [indices, columns of the tables]
  public func gatherSum(_ terms: [(table: Tensor, indices: Indices?)]) -> Tensor {
    let rows = terms[0].indices?.count ?? terms[0].table.rows
    let out = output(rows: rows, columns: terms[0].table.columns, from: terms.map(\.table))
    backend.run(GatherSum(terms: terms, out: out))
    record(out) { [unowned self] dy in
      let identity = terms.lastIndex { $0.indices == nil }
      for term in terms {
        guard let indices = term.indices, let target = target(term.table, at: indices) else { continue }
        if !target.accumulate { backend.run(Fill(target.tensor, with: 0)) }
        backend.run(ScatterAdd(dy, indices: indices, to: target.tensor))
      }
      for (number, term) in terms.enumerated() where term.indices == nil {
        accumulate(dy, to: term.table, mayKeep: number == identity)
      }
    }
    return out
  }

  /// Returns the rows of `x` in the order of `indices`; −1 gives a row of zeros.
  public func gather(_ x: Tensor, _ indices: Indices) -> Tensor { gatherSum([(x, indices)]) }

  /// Returns x + y, of the same shape.
  public func add(_ x: Tensor, _ y: Tensor) -> Tensor { gatherSum([(x, nil), (y, nil)]) }

  /// Returns x times a number.
  public func scale(_ x: Tensor, by factor: Float) -> Tensor {
    let out = output(rows: x.rows, columns: x.columns, from: [x], type: x.storage.type)
    backend.run(Copy(x, to: out))
    backend.run(Scale(out, by: factor))
    record(out) { [unowned self] dy in
      backend.run(Scale(dy, by: factor))
      accumulate(dy, to: x, mayKeep: true)
    }
    return out
  }

  /// Returns the transpose, [n, m] → [m, n], for the few columns of a prediction head.
  public func transpose(_ x: Tensor) -> Tensor {
    let out = output(rows: x.columns, columns: x.rows, from: [x], type: x.storage.type)
    backend.run(Transpose(x: x, out: out))
    record(out) { [unowned self] dy in
      let dx = makeTensor(like: x)
      backend.run(Transpose(x: dy, out: dx))
      accumulate(dx, to: x, mayKeep: true)
    }
    return out
  }

  /// Returns the same elements in another shape, in the memory of `x`, which nothing else may read
  /// later.
  public func reshape(_ x: Tensor, rows: Int, columns: Int) -> Tensor {
    precondition(rows * columns == x.count && x.parameters.isEmpty)
    note(x)
    let out = Tensor(
      rows: rows, columns: columns, storage: x.storage, offset: x.offset, needsGradient: x.needsGradient)
    record(out) { [unowned self] dy in
      let dx = Tensor(rows: x.rows, columns: x.columns, storage: dy.storage, offset: dy.offset)
      accumulate(dx, to: x, mayKeep: true)
    }
    return out
  }

  /// Returns the rows scaled to unit length; lengths below `floor` count as `floor`.
  public func normalizeRows(_ x: Tensor, floor: Float) -> Tensor {
    let out = output(rows: x.rows, columns: x.columns, from: [x])
    let lengths = backend.makeTensor(rows: 1, columns: x.rows)
    backend.run(NormalizeRows(x: x, floor: floor, lengths: lengths, out: out))
    let unit = out.withoutGradient
    record(out) { [unowned self] dy in
      guard let dx = target(x) else { return }
      backend.run(NormalizeRowsBackward(dy: dy, out: unit, floor: floor, lengths: lengths, dx: dx))
    }
    return out
  }
}

extension Tensor {
  /// The same elements outside the tape; what a backward step keeps must not keep the tape alive.
  var withoutGradient: Tensor { Tensor(rows: rows, columns: columns, storage: storage, offset: offset) }
}

/// A layer's last bias, until the layer or the norm that alone reads its result takes on its
/// gradient.
final class PendingBias {
  private var bias: Tensor?

  init(_ bias: Tensor?) { self.bias = bias }

  func take() -> Tensor? {
    defer { bias = nil }
    return bias
  }
}
