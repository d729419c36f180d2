import CKernels

extension Optional where Wrapped == Dropout {
  /// Calls `body` with the kernels' form of this dropout, or with nil where nothing is to be
  /// dropped.
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
    for term in terms {
      precondition(term.table.columns == columns && (term.indices?.count ?? term.table.rows) == out.rows)
    }
    if out.storage.type == .bfloat16 || terms.contains(where: { $0.table.storage.type == .bfloat16 }) {
      return gatherEither(terms, out: out)
    }
    let result = out.pointer
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

  /// The same of values of either type: a row is added up in float32 and rounded once.
  private func gatherEither(_ terms: [(table: Tensor, indices: Indices?)], out: Tensor) {
    let (columns, type) = (out.columns, out.storage.type)
    let (result, row) = (out.values, columns * type.size)
    let sources = terms.map { (table: $0.table, start: $0.table.values, indices: $0.indices?.pointer) }
    let storage = scratch(parts: pool.threads, each: columns)
    let room = storage.pointer
    pool.split(out.rows, grain: 1 + (1 << 13) / max(1, columns)) { range, part in
      let sums = room + part * columns
      for r in range {
        var written = false
        // The only term so far, where its row may be copied as it is.
        var sole: UnsafeMutableRawPointer?
        for source in sources {
          let from = source.indices.map { Int($0[r]) } ?? r
          if from < 0 { continue }
          precondition(from < source.table.rows)
          let isBrain = source.table.storage.type == .bfloat16
          let start = source.start + from * columns * source.table.storage.type.size
          sole = written || source.table.storage.type != type ? nil : start
          switch (written, isBrain) {
          case (false, true): kernels.widen(sums, start.assumingMemoryBound(to: hero_brain.self), columns)
          case (false, false):
            sums.update(from: start.assumingMemoryBound(to: Float.self), count: columns)
          case (true, true): kernels.add_brains(sums, start.assumingMemoryBound(to: hero_brain.self), columns)
          case (true, false): kernels.add(sums, start.assumingMemoryBound(to: Float.self), columns)
          }
          written = true
        }
        let to = result + r * row
        if !written {
          to.initializeMemory(as: UInt8.self, repeating: 0, count: row)
        } else if let sole {
          to.copyMemory(from: sole, byteCount: row)
        } else if type == .bfloat16 {
          kernels.narrow(to.assumingMemoryBound(to: hero_brain.self), sums, columns)
        } else {
          to.copyMemory(from: sums, byteCount: row)
        }
      }
    }
    withExtendedLifetime(storage) {}
  }

  /// Divided by columns: two rows may go to the same place, and their sum must not depend on who
  /// came first.
  public func scatterAdd(_ from: Tensor, indices: Indices?, to: Tensor) {
    guard let indices else { return add(from, to: to) }
    precondition(from.columns == to.columns && indices.count == from.rows)
    let places = indices.onHost
    precondition(places.allSatisfy { $0 < to.rows })
    var staged = Staged(self)
    defer { staged.finish() }
    let (to, columns) = (staged.writing(to, keeps: true), from.columns)
    let grain = from.count < 1 << 13 ? columns : 16
    // Of many rows with few places, the sums of stretches are added up: a type's gradient is that
    // of all its rows.
    if from.rows > Int(HERO_SUMMED_ROWS), to.rows <= Int(HERO_SUMMED_STRETCH) / 4 {
      return scatterStretches(from, places, to: to, stretch: Int(HERO_SUMMED_STRETCH), grain: grain)
    }
    if from.storage.type == .bfloat16 {
      let (source, target) = (from.brains, to.pointer)
      return pool.split(columns, grain: grain, multiple: 16) { range, _ in
        for (r, index) in places.enumerated() where index >= 0 {
          kernels.add_brains(
            target + Int(index) * columns + range.lowerBound, source + r * columns + range.lowerBound,
            range.count)
        }
      }
    }
    let (source, target) = (from.pointer, to.pointer)
    pool.split(columns, grain: grain, multiple: 16) { range, _ in
      for (r, index) in places.enumerated() where index >= 0 {
        kernels.add(
          target + Int(index) * columns + range.lowerBound, source + r * columns + range.lowerBound,
          range.count)
      }
    }
  }

  /// Rows of `count` that one float32 sum is of.
  static func summedRows(_ count: Int) -> Int {
    count > Int(HERO_SUMMED_ROWS) ? Int(HERO_SUMMED_STRETCH) : max(1, count)
  }

  /// to[places[r]] += from[r], where a place gets the sum of each stretch of rows at once.
  private func scatterStretches(
    _ from: Tensor, _ places: UnsafeBufferPointer<Int32>, to: Tensor, stretch: Int, grain: Int
  ) {
    let (columns, isBrain) = (from.columns, from.storage.type == .bfloat16)
    let storage = scratch(parts: 1, each: to.count)
    let (sums, target) = (storage.pointer, to.pointer)
    let (size, source) = (from.storage.type.size, from.values)
    pool.split(columns, grain: grain, multiple: 16) { range, _ in
      var total = [Double](repeating: 0, count: to.rows * range.count)
      for first in stride(from: 0, to: from.rows, by: stretch) {
        for place in 0..<to.rows {
          (sums + place * columns + range.lowerBound).update(repeating: 0, count: range.count)
        }
        for r in first..<min(first + stretch, from.rows) where places[r] >= 0 {
          let sum = sums + Int(places[r]) * columns + range.lowerBound
          let row = source + (r * columns + range.lowerBound) * size
          if isBrain {
            kernels.add_brains(sum, row.assumingMemoryBound(to: hero_brain.self), range.count)
          } else {
            kernels.add(sum, row.assumingMemoryBound(to: Float.self), range.count)
          }
        }
        for at in total.indices {
          total[at] += Double(sums[at / range.count * columns + range.lowerBound + at % range.count])
        }
      }
      for at in total.indices {
        target[at / range.count * columns + range.lowerBound + at % range.count] += Float(total[at])
      }
    }
    withExtendedLifetime(storage) {}
  }

  public func dropout(_ x: Tensor, _ dropout: Dropout, out: Tensor) {
    precondition(x.count == out.count)
    var staged = Staged(self, either: x, out)
    defer { staged.finish() }
    let (loops, size, columns) = (loops(staged.type), staged.type.size, x.columns)
    let (from, to) = (staged.reading(x).values, staged.writing(out).values)
    Optional(dropout).withKernelForm { form in
      pool.split(x.rows, grain: 1 + (1 << 12) / max(1, columns)) { range, _ in
        let at = range.lowerBound * columns * size
        loops.dropout(to + at, from + at, range.lowerBound, range.count, columns, form)
      }
    }
  }

  public func transpose(_ x: Tensor, out: Tensor) {
    precondition(x.rows == out.columns && x.columns == out.rows)
    var staged = Staged(self)
    defer { staged.finish() }
    let (from, to) = (staged.reading(x).pointer, staged.writing(out).pointer)
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
    var staged = Staged(self, either: x, residual, sum, out)
    defer { staged.finish() }
    let (loops, size) = (loops(staged.type), staged.type.size)
    let (from, other) = (staged.reading(x).values, residual.map { staged.reading($0).values })
    let (kept, result) = (staged.writing(sum).values, staged.writing(out).values)
    let (means, inverses) = (statistics.pointer, statistics.pointer + rows)
    let (g, b) = (gamma.pointer, beta.pointer)
    let storage = scratch(parts: pool.threads, each: columns)
    let room = storage.pointer
    defer { withExtendedLifetime(storage) {} }
    inner.withKernelForm { inner in
      outer.withKernelForm { outer in
        pool.split(rows, grain: 1 + (1 << 12) / max(1, columns)) { range, part in
          let at = range.lowerBound * columns * size
          loops.norm(
            result + at, kept + at, means + range.lowerBound, inverses + range.lowerBound, from + at,
            other.map { $0 + at }, g, b, epsilon, range.lowerBound, range.count, columns, inner, outer,
            room + part * columns)
        }
      }
    }
  }

  public func layerNormBackward(
    _ dy: Tensor, sum: Tensor, statistics: Tensor, gamma: Tensor, inner: Dropout?, outer: Dropout?,
    dx: GradientTarget?, dResidual: GradientTarget?, dGamma: GradientTarget, dBeta: GradientTarget
  ) {
    let (rows, columns) = (sum.rows, sum.columns)
    var staged = Staged(self, either: dy, sum, dx?.tensor, dResidual?.tensor)
    defer { staged.finish() }
    let (loops, size) = (loops(staged.type), staged.type.size)
    let (gradient, kept, g) = (staged.reading(dy).values, staged.reading(sum).values, gamma.pointer)
    let (dx, dResidual) = (staged.writing(dx), staged.writing(dResidual))
    let (means, inverses) = (statistics.pointer, statistics.pointer + rows)
    let (toX, toResidual) = (dx?.tensor.values, dResidual?.tensor.values)
    // Each part sums its own gamma and beta gradients (2 rows), a stretch of rows at a time (2
    // rows), and has 2 rows of scratch.
    let each = 6 * columns
    let storage = scratch(parts: pool.threads, each: each)
    let parts = storage.pointer
    parts.update(repeating: 0, count: pool.threads * each)
    inner.withKernelForm { inner in
      outer.withKernelForm { outer in
        pool.split(rows, grain: 1 + (1 << 12) / max(1, columns)) { range, part in
          let own = parts + part * each
          let most = Self.summedRows(range.count)
          let isLong = most < range.count
          // Of many rows, sums of stretches are added up in double precision.
          var total = [Double](repeating: 0, count: isLong ? 2 * columns : 0)
          for first in stride(from: range.lowerBound, to: range.upperBound, by: most) {
            let at = first * columns * size
            let sums = isLong ? own + 4 * columns : own
            if isLong { sums.update(repeating: 0, count: 2 * columns) }
            loops.norm_backward(
              toX.map { $0 + at }, dx?.accumulate ?? false, toResidual.map { $0 + at },
              dResidual?.accumulate ?? false, sums, sums + columns, gradient + at, kept + at,
              means + first, inverses + first, g, first, min(most, range.upperBound - first), columns,
              inner, outer, own + 2 * columns)
            for c in total.indices { total[c] += Double(sums[c]) }
          }
          for c in total.indices { own[c] += Float(total[c]) }
        }
      }
    }
    for (target, start) in [(dGamma, 0), (dBeta, columns)] {
      let to = target.tensor.pointer
      if !target.accumulate { to.update(repeating: 0, count: columns) }
      for part in 0..<pool.threads { kernels.add(to, parts + part * each + start, columns) }
    }
    withExtendedLifetime(storage) {}
  }

  public func normalizeRows(_ x: Tensor, floor: Float, lengths: Tensor, out: Tensor) {
    precondition(lengths.count == x.rows && out.count == x.count)
    var staged = Staged(self)
    defer { staged.finish() }
    let columns = x.columns
    let (from, to, norms) = (staged.reading(x).pointer, staged.writing(out).pointer, lengths.pointer)
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
    var staged = Staged(self)
    defer { staged.finish() }
    let (dx, columns) = (staged.writing(dx), out.columns)
    let (gradient, unit) = (staged.reading(dy).pointer, staged.reading(out).pointer)
    let (norms, to) = (lengths.pointer, dx.tensor.pointer)
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
