import CCUDA
import CKernels
import Foundation

/// The cross-entropy of each row against smoothed targets.
///
/// The target has 1 − smoothing, every other column smoothing / (columns − 1); with smoothing the
/// loss is the divergence KL(target ‖ softmax). Target −1 skips a row. Only the first `columns`
/// columns count.
struct CrossEntropy: LossOperation {
  let x: Tensor
  let columns: Int
  let targets: Indices
  let smoothing: Float
  let gradientScale: Float?
  /// [1, rows]
  let losses: Tensor

  func check() {
    precondition(targets.count == x.rows && losses.count == x.rows && columns <= x.columns)
    precondition(smoothing >= 0 && smoothing < 1 && (smoothing == 0 || columns > 1))
    precondition(targets.areBelow(columns), "a target that no column is")
  }

  var reads: [(any Operand)?] { [x, targets] }

  func run(on cpu: CPUBackend) {
    let (start, width, isBF16) = (x.values, x.columns, x.storage.type == .bfloat16)
    let size = x.storage.type.size
    // Each thread widens one bfloat16 row at a time: a batch's words have some hundred megabytes of
    // logits.
    let storage = isBF16 ? cpu.scratch(parts: cpu.pool.threads, each: width) : nil
    let room = storage?.pointer
    let other = columns > 1 ? smoothing / Float(columns - 1) : 0
    // Σ t·log t of the smoothed target, the constant part of the divergence.
    let entropy = smoothing > 0 ? (1 - smoothing) * log(1 - smoothing) + smoothing * log(other) : 0
    let (losses, wanted) = (losses.pointer, targets.pointer)
    cpu.pool.split(x.rows, grain: 1 + (1 << 12) / max(1, columns)) { range, part in
      for r in range {
        let own = start + r * width * size
        let row = room.map { $0 + part * width } ?? own.bindMemory(to: Float.self, capacity: width)
        if isBF16 { cpu.kernels.widen(row, own.bindMemory(to: hero_bf16.self, capacity: width), width) }
        defer {
          if isBF16, gradientScale != nil {
            cpu.kernels.narrow(own.bindMemory(to: hero_bf16.self, capacity: width), row, width)
          }
        }
        let target = Int(wanted[r])
        guard target >= 0 else {
          losses[r] = 0
          if gradientScale != nil { row.update(repeating: 0, count: width) }
          continue
        }
        precondition(target < columns)
        let total = cpu.kernels.log_sum_exp(row, columns)
        var loss = (1 - smoothing) * (total - row[target])
        if smoothing > 0 {
          let rest = cpu.kernels.sum(row, columns) - row[target]
          loss += entropy + other * (Float(columns - 1) * total - rest)
        }
        losses[r] = loss
        guard let gradientScale else { continue }
        cpu.kernels.exp_shift_scale(row, total, gradientScale, columns)
        if smoothing > 0 { for c in 0..<columns { row[c] -= gradientScale * other } }
        row[target] -= gradientScale * (1 - smoothing - other)
        (row + columns).update(repeating: 0, count: width - columns)
      }
    }
    withExtendedLifetime(storage) {}
  }

  func run(on gpu: CUDABackend) {
    gpu.launch(
      .crossEntropy, rows: x.rows, block: 256,
      hero_entropy_arguments(
        logits: x.view, targets: targets.numbers, starts: nil, losses: losses.floats,
        stride: Int64(x.columns), columns: Int64(columns), segments: 1, smoothing: smoothing,
        scale: gradientScale ?? 0, has_gradient: hasGradient))
  }
}

/// The cross-entropies over packed segments of each row, without smoothing; targets are places
/// within the segment, row after row.
struct SegmentCrossEntropy: LossOperation {
  let x: Tensor
  let segments: Segments
  let targets: Indices
  let gradientScale: Float?
  /// [1, rows · segments]
  let losses: Tensor

  func check() {
    precondition(targets.count == x.rows * segments.count && x.columns == segments.rows)
    precondition(losses.count == targets.count)
    precondition(targets.areWithin(segments), "a target after its segment's end")
  }

  var reads: [(any Operand)?] { [x, targets, segments.starts] }

  func run(on cpu: CPUBackend) {
    var staged = Staged(cpu)
    defer { staged.finish() }
    let x = staged.writing(x, keeps: true)
    let (losses, wanted) = (losses.pointer, targets.pointer)
    for number in 0..<targets.count {
      let rows = segments[number % segments.count]
      let row = x.pointer + number / segments.count * x.columns + rows.lowerBound
      let target = Int(wanted[number])
      guard target >= 0, !rows.isEmpty else {
        losses[number] = 0
        if gradientScale != nil { row.update(repeating: 0, count: rows.count) }
        continue
      }
      precondition(target < rows.count)
      let total = cpu.kernels.log_sum_exp(row, rows.count)
      losses[number] = total - row[target]
      guard let gradientScale else { continue }
      cpu.kernels.exp_shift_scale(row, total, gradientScale, rows.count)
      row[target] -= gradientScale
    }
  }

  func run(on gpu: CUDABackend) {
    gpu.launch(
      .segmentCrossEntropy, rows: targets.count, block: 64,
      hero_entropy_arguments(
        logits: x.view, targets: targets.numbers, starts: segments.numbers, losses: losses.floats,
        stride: Int64(x.columns), columns: 0, segments: Int64(segments.count), smoothing: 0,
        scale: gradientScale ?? 0, has_gradient: hasGradient))
  }
}

extension Indices {
  /// Returns whether the host's targets, row after row, are places within their segments; a target
  /// of an empty segment does not count.
  fileprivate func areWithin(_ segments: Segments) -> Bool {
    guard let given else { return true }
    return given.indices.allSatisfy { number in
      let length = segments[number % segments.count].count
      return length == 0 || Int(given[number]) < length
    }
  }
}
