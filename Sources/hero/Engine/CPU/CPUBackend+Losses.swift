import CKernels
import Foundation

extension CPUBackend {
  public func crossEntropy(
    _ logits: Tensor, columns: Int, targets: Indices, smoothing: Float, gradientScale: Float?,
    rowLosses: UnsafeMutableBufferPointer<Float>
  ) {
    precondition(targets.count == logits.rows && rowLosses.count == logits.rows && columns <= logits.columns)
    precondition(smoothing >= 0 && smoothing < 1 && (smoothing == 0 || columns > 1))
    let x = logits.pointer
    let width = logits.columns
    let other = columns > 1 ? smoothing / Float(columns - 1) : 0
    // Σ t·log t of the smoothed target, the constant part of the divergence.
    let entropy = smoothing > 0 ? (1 - smoothing) * log(1 - smoothing) + smoothing * log(other) : 0
    nonisolated(unsafe) let losses = rowLosses
    pool.split(logits.rows, grain: 1 + (1 << 12) / max(1, columns)) { range, _ in
      for r in range {
        let row = x + r * width
        let target = Int(targets.values[r])
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
  }

  public func segmentCrossEntropy(
    _ logits: Tensor, segments: Segments, targets: Indices, gradientScale: Float?,
    rowLosses: UnsafeMutableBufferPointer<Float>
  ) {
    precondition(targets.count == logits.rows * segments.count && logits.columns == segments.rows)
    for number in 0..<targets.count {
      let rows = segments[number % segments.count]
      let row = logits.pointer + number / segments.count * logits.columns + rows.lowerBound
      let target = Int(targets.values[number])
      guard target >= 0, !rows.isEmpty else {
        rowLosses[number] = 0
        if gradientScale != nil { row.update(repeating: 0, count: rows.count) }
        continue
      }
      precondition(target < rows.count)
      let total = kernels.log_sum_exp(row, rows.count)
      rowLosses[number] = total - row[target]
      guard let gradientScale else { continue }
      kernels.exp_shift_scale(row, total, gradientScale, rows.count)
      row[target] -= gradientScale
    }
  }
}
