import CKernels

extension Optional where Wrapped == Dropout {
  /// Calls `body` with the kernels' form of this dropout, or with nil where nothing is to be dropped.
  func withKernelForm<Result>(_ body: (UnsafePointer<hero_dropout>?) -> Result) -> Result {
    guard let self, self.threshold > 0 else { return body(nil) }
    var form = hero_dropout(
      key: (UInt32(truncatingIfNeeded: self.seed), UInt32(truncatingIfNeeded: self.seed >> 32)),
      stream: self.stream, step: self.step, threshold: self.threshold)
    return withUnsafePointer(to: &form) { body($0) }
  }
}

extension CPUBackend {
  public func gatherSum(_ terms: [(table: Tensor, indices: Indices?)], out: Tensor) {
    let columns = out.columns
    let result = out.pointer
    for term in terms {
      precondition(term.table.columns == columns && (term.indices?.count ?? term.table.rows) == out.rows)
    }
    let sources = terms.map { (rows: $0.table.pointer, indices: $0.indices?.pointer) }
    pool.split(out.rows, grain: 1 + (1 << 13) / max(1, columns)) { range, _ in
      for r in range {
        let row = result + r * columns
        var written = false
        for (term, source) in zip(terms, sources) {
          let from = source.indices.map { Int($0[r]) } ?? r
          if from < 0 { continue }
          precondition(from < term.table.rows)
          if written {
            kernels.add(row, source.rows + from * columns, columns)
          } else {
            row.update(from: source.rows + from * columns, count: columns)
            written = true
          }
        }
        if !written { row.update(repeating: 0, count: columns) }
      }
    }
  }

  /// Divided by columns: two rows may go to the same place, and their sum must not depend on who came first.
  public func scatterAdd(_ from: Tensor, indices: Indices?, to: Tensor) {
    guard let indices else { return add(from, to: to) }
    precondition(from.columns == to.columns && indices.count == from.rows)
    let places = indices.onHost
    precondition(places.allSatisfy { $0 < to.rows })
    let columns = from.columns
    let (source, target) = (from.pointer, to.pointer)
    let grain = from.count < 1 << 13 ? columns : 16
    pool.split(columns, grain: grain, multiple: 16) { range, _ in
      for (r, index) in places.enumerated() where index >= 0 {
        kernels.add(
          target + Int(index) * columns + range.lowerBound, source + r * columns + range.lowerBound,
          range.count)
      }
    }
  }

  public func dropout(_ x: Tensor, _ dropout: Dropout, out: Tensor) {
    precondition(x.count == out.count)
    let columns = x.columns
    let (from, to) = (x.pointer, out.pointer)
    Optional(dropout).withKernelForm { form in
      pool.split(x.rows, grain: 1 + (1 << 12) / max(1, columns)) { range, _ in
        let at = range.lowerBound * columns
        kernels.dropout(to + at, from + at, range.lowerBound, range.count, columns, form)
      }
    }
  }

  public func transpose(_ x: Tensor, out: Tensor) {
    precondition(x.rows == out.columns && x.columns == out.rows)
    let (from, to) = (x.pointer, out.pointer)
    let (rows, columns) = (x.rows, x.columns)
    pool.split(rows, grain: 1 + (1 << 14) / max(1, columns)) { range, _ in
      for r in range {
        for c in 0..<columns { to[c * rows + r] = from[r * columns + c] }
      }
    }
  }

  public func layerNorm(
    _ x: Tensor, residual: Tensor?, gamma: Tensor, beta: Tensor, epsilon: Float, inner: Dropout?,
    outer: Dropout?,
    sum: Tensor, statistics: Tensor, out: Tensor
  ) {
    let (rows, columns) = (x.rows, x.columns)
    precondition(gamma.count == columns && beta.count == columns && statistics.count == 2 * rows)
    precondition(sum.count == x.count && out.count == x.count && residual?.count ?? x.count == x.count)
    let (from, kept, result) = (x.pointer, sum.pointer, out.pointer)
    let (means, inverses) = (statistics.pointer, statistics.pointer + rows)
    let (g, b, other) = (gamma.pointer, beta.pointer, residual?.pointer)
    inner.withKernelForm { inner in
      outer.withKernelForm { outer in
        pool.split(rows, grain: 1 + (1 << 12) / max(1, columns)) { range, _ in
          let at = range.lowerBound * columns
          kernels.norm(
            result + at, kept + at, means + range.lowerBound, inverses + range.lowerBound, from + at,
            other.map { UnsafePointer($0 + at) }, g, b, epsilon, range.lowerBound, range.count, columns,
            inner, outer)
        }
      }
    }
  }

  public func layerNormBackward(
    _ dy: Tensor, sum: Tensor, statistics: Tensor, gamma: Tensor, inner: Dropout?, outer: Dropout?,
    dx: GradientTarget?, dResidual: GradientTarget?, dGamma: GradientTarget, dBeta: GradientTarget
  ) {
    let (rows, columns) = (sum.rows, sum.columns)
    let (gradient, kept, g) = (dy.pointer, sum.pointer, gamma.pointer)
    let (means, inverses) = (statistics.pointer, statistics.pointer + rows)
    let (toX, toResidual) = (dx?.tensor.pointer, dResidual?.tensor.pointer)
    // Each part sums its own gamma and beta gradients (2 rows) and has 2 rows of scratch.
    let storage = scratch(parts: pool.threads, each: 4 * columns)
    let parts = storage.pointer
    parts.update(repeating: 0, count: pool.threads * 4 * columns)
    inner.withKernelForm { inner in
      outer.withKernelForm { outer in
        pool.split(rows, grain: 1 + (1 << 12) / max(1, columns)) { range, part in
          let at = range.lowerBound * columns
          let own = parts + part * 4 * columns
          kernels.norm_backward(
            toX.map { $0 + at }, dx?.accumulate ?? false, toResidual.map { $0 + at },
            dResidual?.accumulate ?? false, own, own + columns, gradient + at, kept + at,
            means + range.lowerBound, inverses + range.lowerBound, g, range.lowerBound, range.count, columns,
            inner, outer, own + 2 * columns)
        }
      }
    }
    for (target, start) in [(dGamma, 0), (dBeta, columns)] {
      let to = target.tensor.pointer
      if !target.accumulate { to.update(repeating: 0, count: columns) }
      for part in 0..<pool.threads { kernels.add(to, parts + part * 4 * columns + start, columns) }
    }
    withExtendedLifetime(storage) {}
  }

  public func normalizeRows(_ x: Tensor, floor: Float, lengths: Tensor, out: Tensor) {
    precondition(lengths.count == x.rows && out.count == x.count)
    let columns = x.columns
    let (from, to, norms) = (x.pointer, out.pointer, lengths.pointer)
    pool.split(x.rows, grain: 1 + (1 << 13) / max(1, columns)) { range, _ in
      for r in range {
        let row = from + r * columns
        norms[r] = kernels.dot(row, row, columns).squareRoot()
        let (unit, inverse) = (to + r * columns, 1 / max(norms[r], floor))
        for c in 0..<columns { unit[c] = row[c] * inverse }
      }
    }
  }

  public func normalizeRowsBackward(
    _ dy: Tensor, out: Tensor, floor: Float, lengths: Tensor, dx: GradientTarget
  ) {
    let columns = out.columns
    let (gradient, unit, norms, to) = (dy.pointer, out.pointer, lengths.pointer, dx.tensor.pointer)
    pool.split(out.rows, grain: 1 + (1 << 13) / max(1, columns)) { range, _ in
      for r in range {
        let at = r * columns
        if !dx.accumulate { (to + at).update(repeating: 0, count: columns) }
        let inverse = 1 / max(norms[r], floor)
        kernels.axpy(to + at, inverse, gradient + at, columns)
        // Where the floor holds, the length is a constant.
        if norms[r] > floor {
          kernels.axpy(to + at, -inverse * kernels.dot(gradient + at, unit + at, columns), unit + at, columns)
        }
      }
    }
  }
}
