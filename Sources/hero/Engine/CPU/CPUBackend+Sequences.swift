import CKernels
import Foundation

extension CPUBackend {
  public func softmaxPool(_ x: Tensor, scores: Tensor, segments: Segments, weights: Tensor, out: Tensor) {
    precondition(scores.count == x.rows && segments.rows == x.rows && out.rows == segments.count)
    var staged = Staged(self)
    defer { staged.finish() }
    let (columns, share) = (x.columns, weights.pointer)
    let (from, score) = (staged.reading(x).pointer, staged.reading(scores).pointer)
    let to = staged.writing(out).pointer
    pool.split(segments.count, grain: 1 + (1 << 10) / max(1, columns)) { range, _ in
      for s in range {
        let rows = segments[s]
        let pooled = to + s * columns
        pooled.update(repeating: 0, count: columns)
        if rows.isEmpty { continue }
        let own = share + rows.lowerBound
        own.update(from: score + rows.lowerBound, count: rows.count)
        kernels.exp_shift_scale(own, kernels.log_sum_exp(own, rows.count), 1, rows.count)
        for r in rows { kernels.axpy(pooled, share[r], from + r * columns, columns) }
      }
    }
  }

  public func softmaxPoolBackward(
    _ dy: Tensor, x: Tensor, segments: Segments, weights: Tensor, dx: GradientTarget?,
    dScores: GradientTarget?
  ) {
    var staged = Staged(self)
    defer { staged.finish() }
    let (columns, share) = (x.columns, weights.pointer)
    let (gradient, from) = (staged.reading(dy).pointer, staged.reading(x).pointer)
    let (dx, dScores) = (staged.writing(dx), staged.writing(dScores))
    let (toX, toScores) = (dx?.tensor.pointer, dScores?.tensor.pointer)
    pool.split(segments.count, grain: 1 + (1 << 10) / max(1, columns)) { range, _ in
      for s in range {
        let rows = segments[s]
        let g = gradient + s * columns
        var along: Float = 0
        if toScores != nil {
          for r in rows { along += share[r] * kernels.dot(g, from + r * columns, columns) }
        }
        for r in rows {
          if let toScores {
            let slope = share[r] * (kernels.dot(g, from + r * columns, columns) - along)
            toScores[r] = slope + (dScores?.accumulate == true ? toScores[r] : 0)
          }
          if let toX {
            if dx?.accumulate != true { (toX + r * columns).update(repeating: 0, count: columns) }
            kernels.axpy(toX + r * columns, share[r], g, columns)
          }
        }
      }
    }
  }

  public func segmentMax(_ x: Tensor, segments: Segments, places: Indices, out: Tensor) {
    precondition(x.columns == segments.rows && out.rows == x.rows && out.columns == segments.count)
    var staged = Staged(self)
    defer { staged.finish() }
    let (from, to, place) = (staged.reading(x).pointer, staged.writing(out).pointer, places.pointer)
    pool.split(x.rows, grain: 1 + (1 << 12) / max(1, x.columns)) { range, _ in
      for r in range {
        let row = from + r * x.columns
        for s in 0..<segments.count {
          let columns = segments[s]
          var (best, most) = (columns.lowerBound, columns.isEmpty ? 0 : row[columns.lowerBound])
          // Not `>`: what is no number comes before all numbers, and the first of its kind ends the
          // search.
          for c in columns where !(row[c] <= most) {
            (best, most) = (c, row[c])
            if most.isNaN { break }
          }
          to[r * segments.count + s] = most
          place[r * segments.count + s] = columns.isEmpty ? -1 : Int32(best)
        }
      }
    }
  }

  public func segmentMaxBackward(_ dy: Tensor, segments: Segments, places: Indices, dx: GradientTarget) {
    var staged = Staged(self)
    defer { staged.finish() }
    let dx = staged.writing(dx)
    let (gradient, place, to) = (staged.reading(dy).pointer, places.pointer, dx.tensor.pointer)
    let columns = dx.tensor.columns
    pool.split(dx.tensor.rows, grain: 1 + (1 << 12) / max(1, columns)) { range, _ in
      for r in range {
        if !dx.accumulate { (to + r * columns).update(repeating: 0, count: columns) }
        for s in 0..<segments.count where place[r * segments.count + s] >= 0 {
          to[r * columns + Int(place[r * segments.count + s])] += gradient[r * segments.count + s]
        }
      }
    }
  }

  public func pairDot(
    _ queries: Tensor, queryRows: Indices?, _ x: Tensor, pairs: RowRanges, places: Segments, out: Tensor
  ) {
    if let queryRows { return groupedDot(queries, queryRows, x, pairs: pairs, places: places, out: out) }
    var staged = Staged(self)
    defer { staged.finish() }
    let columns = x.columns
    let (q, from, to) = (staged.reading(queries).pointer, staged.reading(x).pointer, out.pointer)
    let starts = places.offsets
    pool.split(pairs.count, grain: 4) { range, _ in
      for p in range {
        for (i, r) in pairs[p].enumerated() {
          to[starts[p] + i] = kernels.dot(q + p * columns, from + r * columns, columns)
        }
      }
    }
  }

  /// On one thread: several queries may share rows, and a batch has few.
  public func pairDotBackward(
    _ dy: Tensor, _ queries: Tensor, _ x: Tensor, pairs: RowRanges, places: Segments,
    dQueries: GradientTarget?,
    dx: GradientTarget?
  ) {
    var staged = Staged(self)
    defer { staged.finish() }
    let (dQueries, dx, columns) = (staged.writing(dQueries), staged.writing(dx), x.columns)
    let (gradient, q) = (staged.reading(dy).pointer, staged.reading(queries).pointer)
    let from = staged.reading(x).pointer
    let (toQueries, toX) = (dQueries?.tensor.pointer, dx?.tensor.pointer)
    for target in [dQueries, dx] {
      if let target, !target.accumulate {
        target.tensor.pointer.update(repeating: 0, count: target.tensor.count)
      }
    }
    var at = 0
    for (p, rows) in pairs.ranges.enumerated() {
      for r in rows {
        if let toQueries { kernels.axpy(toQueries + p * columns, gradient[at], from + r * columns, columns) }
        if let toX { kernels.axpy(toX + r * columns, gradient[at], q + p * columns, columns) }
        at += 1
      }
    }
  }

  public func convolve(_ x: Tensor, kernel: Tensor, segments: Segments, out: Tensor) {
    var staged = Staged(self)
    defer { staged.finish() }
    let (from, weight) = (staged.reading(x).pointer, kernel.pointer)
    let to = staged.writing(out).pointer
    let half = kernel.count / 2
    pool.split(segments.count, grain: 64) { range, _ in
      for s in range {
        let rows = segments[s]
        for i in rows {
          var total: Float = 0
          for t in max(rows.lowerBound, i - half)..<min(rows.upperBound, i + half + 1) {
            total += weight[t - i + half] * from[t]
          }
          to[i] = total
        }
      }
    }
  }

  public func convolveBackward(
    _ dy: Tensor, x: Tensor, kernel: Tensor, segments: Segments, dx: GradientTarget?, dKernel: GradientTarget?
  ) {
    var staged = Staged(self)
    defer { staged.finish() }
    let dx = staged.writing(dx)
    let (gradient, from, weight) = (
      staged.reading(dy).pointer, staged.reading(x).pointer, kernel.pointer
    )
    let (toX, toKernel) = (dx?.tensor.pointer, dKernel?.tensor.pointer)
    for target in [dx, dKernel] {
      if let target, !target.accumulate {
        target.tensor.pointer.update(repeating: 0, count: target.tensor.count)
      }
    }
    let half = kernel.count / 2
    // Sums of more rows than one float32 sum is of are carried on in double precision.
    let most = Self.summedRows(segments.rows)
    var (summed, carried) = (0, [Double](repeating: 0, count: kernel.count))
    func carry() {
      guard let toKernel else { return }
      for t in carried.indices {
        carried[t] += Double(toKernel[t])
        toKernel[t] = 0
      }
      summed = 0
    }
    defer {
      if let toKernel {
        for t in carried.indices where carried[t] != 0 {
          toKernel[t] = Float(carried[t] + Double(toKernel[t]))
        }
      }
    }
    for s in 0..<segments.count {
      if summed + segments[s].count > most { carry() }
      summed += segments[s].count
      for i in segments[s] {
        for t in max(segments[s].lowerBound, i - half)..<min(segments[s].upperBound, i + half + 1) {
          toX?[t] += weight[t - i + half] * gradient[i]
          toKernel?[t - i + half] += from[t] * gradient[i]
        }
      }
    }
  }

  public func segmentSoftmax(_ x: Tensor, segments: Segments) {
    precondition(x.count == segments.rows)
    var staged = Staged(self)
    defer { staged.finish() }
    let p = staged.writing(x, keeps: true).pointer
    pool.split(segments.count, grain: 32) { range, _ in
      for s in range where !segments[s].isEmpty {
        let row = UnsafeMutableBufferPointer(start: p + segments[s].lowerBound, count: segments[s].count)
        let most = row.max() ?? 0
        var total: Float = 0
        for i in row.indices {
          row[i] = exp(row[i] - most)
          total += row[i]
        }
        for i in row.indices { row[i] /= total }
      }
    }
  }
}
