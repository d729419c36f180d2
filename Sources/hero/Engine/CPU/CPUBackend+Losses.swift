import CKernels
import Foundation

extension CPUBackend {
  public func crossEntropy(
    _ logits: Tensor, columns: Int, targets: Indices, smoothing: Float, gradientScale: Float?,
    losses rowLosses: Tensor
  ) {
    precondition(targets.count == logits.rows && rowLosses.count == logits.rows && columns <= logits.columns)
    precondition(smoothing >= 0 && smoothing < 1 && (smoothing == 0 || columns > 1))
    let (x, width, isBrain) = (logits.values, logits.columns, logits.storage.type == .bfloat16)
    let size = logits.storage.type.size
    // Rows of bfloat16 are worked on as floats, one at a time: a batch's words have some hundred
    // megabytes of logits.
    let storage = isBrain ? scratch(parts: pool.threads, each: width) : nil
    let room = storage?.pointer
    let other = columns > 1 ? smoothing / Float(columns - 1) : 0
    // Σ t·log t of the smoothed target, the constant part of the divergence.
    let entropy = smoothing > 0 ? (1 - smoothing) * log(1 - smoothing) + smoothing * log(other) : 0
    let (losses, wanted) = (rowLosses.pointer, targets.pointer)
    pool.split(logits.rows, grain: 1 + (1 << 12) / max(1, columns)) { range, part in
      for r in range {
        let own = x + r * width * size
        let row = room.map { $0 + part * width } ?? own.assumingMemoryBound(to: Float.self)
        if isBrain { kernels.widen(row, own.assumingMemoryBound(to: hero_brain.self), width) }
        defer {
          if isBrain, gradientScale != nil {
            kernels.narrow(own.assumingMemoryBound(to: hero_brain.self), row, width)
          }
        }
        let target = Int(wanted[r])
        guard target >= 0 else {
          losses[r] = 0
          if gradientScale != nil { row.update(repeating: 0, count: width) }
          continue
        }
        precondition(target < columns)
        let total = kernels.log_sum_exp(row, columns)
        var loss = (1 - smoothing) * (total - row[target])
        if smoothing > 0 {
          let rest = kernels.sum(row, columns) - row[target]
          loss += entropy + other * (Float(columns - 1) * total - rest)
        }
        losses[r] = loss
        guard let gradientScale else { continue }
        kernels.exp_shift_scale(row, total, gradientScale, columns)
        if smoothing > 0 { for c in 0..<columns { row[c] -= gradientScale * other } }
        row[target] -= gradientScale * (1 - smoothing - other)
        (row + columns).update(repeating: 0, count: width - columns)
      }
    }
    withExtendedLifetime(storage) {}
  }

  public func segmentCrossEntropy(
    _ logits: Tensor, segments: Segments, targets: Indices, gradientScale: Float?,
    losses rowLosses: Tensor
  ) {
    precondition(targets.count == logits.rows * segments.count && logits.columns == segments.rows)
    precondition(rowLosses.count == targets.count)
    var staged = Staged(self)
    defer { staged.finish() }
    let logits = staged.writing(logits, keeps: true)
    let (losses, wanted) = (rowLosses.pointer, targets.pointer)
    for number in 0..<targets.count {
      let rows = segments[number % segments.count]
      let row = logits.pointer + number / segments.count * logits.columns + rows.lowerBound
      let target = Int(wanted[number])
      guard target >= 0, !rows.isEmpty else {
        losses[number] = 0
        if gradientScale != nil { row.update(repeating: 0, count: rows.count) }
        continue
      }
      precondition(target < rows.count)
      let total = kernels.log_sum_exp(row, rows.count)
      losses[number] = total - row[target]
      guard let gradientScale else { continue }
      kernels.exp_shift_scale(row, total, gradientScale, rows.count)
      row[target] -= gradientScale
    }
  }

  public func binaryCrossEntropy(
    _ logits: Tensor, targets: Indices, gradientScale: Float?, losses rowLosses: Tensor
  ) {
    precondition(targets.count == logits.count && rowLosses.count == logits.count)
    var staged = Staged(self)
    defer { staged.finish() }
    let (x, losses) = (staged.writing(logits, keeps: true).pointer, rowLosses.pointer)
    for (i, target) in targets.onHost.enumerated() {
      let (loss, slope) = Self.binaryCrossEntropy(logit: x[i], target: target)
      losses[i] = loss
      if let gradientScale { x[i] = slope * gradientScale }
    }
  }

  /// The loss and its slope, without overflow at either end.
  private static func binaryCrossEntropy(logit x: Float, target: Int32) -> (loss: Float, slope: Float) {
    guard target >= 0 else { return (0, 0) }
    // log(1 + e^x) = max(x, 0) + log(1 + e^−|x|)
    let softplus = max(x, 0) + log1p(exp(-abs(x)))
    let probability = x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x))
    return (softplus - (target > 0 ? x : 0), probability - (target > 0 ? 1 : 0))
  }

  public func distances(_ x: Tensor, targets: Tensor, gradientScale: Float?, losses rowLosses: Tensor) {
    precondition(targets.count == x.count && rowLosses.count == x.rows)
    var staged = Staged(self)
    defer { staged.finish() }
    let (columns, losses) = (x.columns, rowLosses.pointer)
    let (values, wanted) = (staged.writing(x, keeps: true).pointer, staged.reading(targets).pointer)
    pool.split(x.rows, grain: 1 + (1 << 12) / max(1, columns)) { range, _ in
      for r in range {
        let (row, target) = (values + r * columns, wanted + r * columns)
        var total = 0.0
        for c in 0..<columns {
          let difference = Double(row[c] - target[c])
          total += difference * difference
        }
        losses[r] = Float(total.squareRoot())
        guard let gradientScale else { continue }
        let factor = losses[r] > 0 ? gradientScale / losses[r] : 0
        for c in 0..<columns { row[c] = (row[c] - target[c]) * factor }
      }
    }
  }

  public func addSum(_ x: Tensor, scale: Double, to sums: Tensor, at place: Int) {
    sums.sums[place] +=
      scale * UnsafeBufferPointer(start: x.pointer, count: x.count).reduce(0) { $0 + Double($1) }
  }
}
