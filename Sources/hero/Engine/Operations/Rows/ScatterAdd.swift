import CCUDA
import CKernels

/// to[index[r]] += from[r]; index −1 adds nothing.
public struct ScatterAdd: Operation {
  let from: Tensor
  let indices: Indices
  let to: Tensor

  /// - Parameters:
  ///   - indices: the row of `to` for each row of `from`; −1 for none.
  ///   - to: the sums; rows that no index names stay as they are.
  public init(_ from: Tensor, indices: Indices, to: Tensor) {
    (self.from, self.indices, self.to) = (from, indices, to)
  }

  /// Checks equal widths, an index for each row of `from`, and no index beyond `to`.
  public func check() {
    precondition(from.columns == to.columns && indices.count == from.rows && indices.areBelow(to.rows))
  }

  /// The rows and their indices.
  public var reads: [(any Operand)?] { [from, indices] }
  /// The rows that grow, each read and written.
  public var writes: [(any Operand)?] { [Part(to, count: 2 * from.count)] }

  /// Divides the work by columns: two rows may go to the same place, and their sum must not depend
  /// on which comes first.
  public func run(on cpu: CPUBackend) {
    let places = indices.onHost
    precondition(places.allSatisfy { $0 < to.rows })
    var staged = Staged(cpu)
    defer { staged.finish() }
    let (sums, columns, kernels) = (staged.writing(to, keeps: true), from.columns, cpu.kernels)
    let grain = from.count < 1 << 13 ? columns : 16
    // With many rows and few places, this adds the sums of stretches: a type's gradient is the sum
    // of all its rows.
    if from.rows > Int(HERO_SUMMED_ROWS), to.rows <= Int(HERO_SUMMED_STRETCH) / 4 {
      return scatterStretches(cpu, places, to: sums, stretch: Int(HERO_SUMMED_STRETCH), grain: grain)
    }
    if from.storage.type == .bfloat16 {
      let (source, target) = (from.bf16, sums.pointer)
      return cpu.pool.split(columns, grain: grain, multiple: 16) { range, _ in
        for (r, index) in places.enumerated() where index >= 0 {
          kernels.add_bf16(
            target + Int(index) * columns + range.lowerBound, source + r * columns + range.lowerBound,
            range.count)
        }
      }
    }
    let (source, target) = (from.pointer, sums.pointer)
    cpu.pool.split(columns, grain: grain, multiple: 16) { range, _ in
      for (r, index) in places.enumerated() where index >= 0 {
        kernels.add(
          target + Int(index) * columns + range.lowerBound, source + r * columns + range.lowerBound,
          range.count)
      }
    }
  }

  /// Computes to[places[r]] += from[r], where a place gets the sum of each stretch of rows at once.
  private func scatterStretches(
    _ cpu: CPUBackend, _ places: UnsafeBufferPointer<Int32>, to: Tensor, stretch: Int, grain: Int
  ) {
    let (columns, isBF16) = (from.columns, from.storage.type == .bfloat16)
    let storage = cpu.scratch(parts: 1, each: to.count)
    let (sums, target) = (storage.pointer, to.pointer)
    let (size, source) = (from.storage.type.size, from.values)
    cpu.pool.split(columns, grain: grain, multiple: 16) { range, _ in
      var total = [Double](repeating: 0, count: to.rows * range.count)
      for first in stride(from: 0, to: from.rows, by: stretch) {
        for place in 0..<to.rows {
          (sums + place * columns + range.lowerBound).update(repeating: 0, count: range.count)
        }
        for r in first..<min(first + stretch, from.rows) where places[r] >= 0 {
          let sum = sums + Int(places[r]) * columns + range.lowerBound
          let row = source + (r * columns + range.lowerBound) * size
          if isBF16 {
            cpu.kernels.add_bf16(sum, row.bindMemory(to: hero_bf16.self, capacity: range.count), range.count)
          } else {
            cpu.kernels.add(sum, row.bindMemory(to: Float.self, capacity: range.count), range.count)
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

  /// Adds a row whose index is its own directly to its place.
  ///
  /// Of the others, the first row of a stretch with an index sums the stretch's, and the first of
  /// all sums the stretches. The order is that of the rows, whatever the timing.
  public func run(on gpu: CUDABackend) {
    gpu.changes(to)
    // The threads of a row's block take four columns each: whole warps, eight at most.
    let block = min(8, max(1, (from.columns + 127) / 128)) * 32
    var arguments = hero_scatter_arguments()
    (arguments.from, arguments.to, arguments.indices) = (
      from.view, to.view, indices.numbers.map { UnsafePointer($0) }
    )
    (arguments.rows, arguments.columns) = (Int64(from.rows), Int64(from.columns))
    guard from.rows > HERO_SCATTER_STRETCH else {
      return gpu.launch(.scatterParts, rows: from.rows, block: block, arguments)
    }
    let (leaders, counts, parts) = (
      gpu.makeIndices(count: from.rows), gpu.makeIndices(count: 3 * to.rows), gpu.scratch(from.count)
    )
    // The bits of 0.0 are also those of the integer 0.
    gpu.launch(
      .fill, elements: counts.count, each: 8,
      hero_fill_arguments(
        y: hero_view(data: counts.numbers, bf16: 0), sums: nil, value: 0, count: Int64(counts.count)))
    (arguments.leaders, arguments.parts, arguments.uses) = (leaders.numbers, parts.floats, counts.numbers)
    arguments.leads = counts.numbers.map { $0 + to.rows }
    arguments.firsts = counts.numbers.map { $0 + 2 * to.rows }
    gpu.launch(.scatterCount, elements: from.rows, arguments)
    gpu.launch(.scatterParts, rows: from.rows, block: block, arguments)
    gpu.launch(.scatterAdd, rows: from.rows, block: block, arguments)
  }
}
