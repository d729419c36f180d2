import CCUDA
import CKernels

/// out[r] = Σ over terms of table[index[r]]; index −1 adds nothing, no indices mean row r itself.
struct GatherSum: Operation {
  let terms: [(table: Tensor, indices: Indices?)]
  let out: Tensor

  func check() {
    for term in terms {
      precondition(term.table.columns == out.columns && (term.indices?.count ?? term.table.rows) == out.rows)
      precondition(term.indices?.areBelow(term.table.rows) ?? true, "a row that the table does not have")
    }
  }

  /// The rows that are taken from the tables, and the indices.
  var reads: [(any Operand)?] { terms.map { Part($0.table, count: out.count) } + terms.map(\.indices) }
  var writes: [(any Operand)?] { [out] }
  var shape: [Int] { out.shape }

  func run(on cpu: CPUBackend) {
    let columns = out.columns
    if out.storage.type == .bfloat16 || terms.contains(where: { $0.table.storage.type == .bfloat16 }) {
      return gatherEither(cpu)
    }
    let (result, kernels) = (out.pointer, cpu.kernels)
    let sources = terms.map { (rows: $0.table.pointer, indices: $0.indices?.pointer) }
    cpu.pool.split(out.rows, grain: 1 + (1 << 13) / max(1, columns)) { range, _ in
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

  /// Gathers values of either type: it sums a row in float32 and rounds it once.
  private func gatherEither(_ cpu: CPUBackend) {
    let (columns, type) = (out.columns, out.storage.type)
    let (result, row) = (out.values, columns * type.size)
    let sources = terms.map { (table: $0.table, start: $0.table.values, indices: $0.indices?.pointer) }
    let storage = cpu.scratch(parts: cpu.pool.threads, each: columns)
    let room = storage.pointer
    cpu.pool.split(out.rows, grain: 1 + (1 << 13) / max(1, columns)) { range, part in
      let sums = room + part * columns
      for r in range {
        var written = false
        // The only term so far, if its row may be copied as it is.
        var sole: UnsafeMutableRawPointer?
        for source in sources {
          let from = source.indices.map { Int($0[r]) } ?? r
          if from < 0 { continue }
          precondition(from < source.table.rows)
          let isBF16 = source.table.storage.type == .bfloat16
          let start = source.start + from * columns * source.table.storage.type.size
          sole = written || source.table.storage.type != type ? nil : start
          switch (written, isBF16) {
          case (false, true):
            cpu.kernels.widen(sums, start.bindMemory(to: hero_bf16.self, capacity: columns), columns)
          case (false, false):
            sums.update(from: start.bindMemory(to: Float.self, capacity: columns), count: columns)
          case (true, true):
            cpu.kernels.add_bf16(sums, start.bindMemory(to: hero_bf16.self, capacity: columns), columns)
          case (true, false):
            cpu.kernels.add(sums, start.bindMemory(to: Float.self, capacity: columns), columns)
          }
          written = true
        }
        let to = result + r * row
        if !written {
          to.initializeMemory(as: UInt8.self, repeating: 0, count: row)
        } else if let sole {
          to.copyMemory(from: sole, byteCount: row)
        } else if type == .bfloat16 {
          cpu.kernels.narrow(to.bindMemory(to: hero_bf16.self, capacity: columns), sums, columns)
        } else {
          to.copyMemory(from: sums, byteCount: row)
        }
      }
    }
    withExtendedLifetime(storage) {}
  }

  func run(on gpu: CUDABackend) {
    // A launch takes four terms.
    for first in stride(from: 0, to: terms.count, by: 4) {
      let some = terms[first..<min(terms.count, first + 4)].map {
        hero_term(table: $0.table.view, indices: $0.indices?.numbers.map { UnsafePointer($0) })
      }
      var arguments = hero_gather_arguments()
      arguments.terms.0 = some[0]
      if some.count > 1 { arguments.terms.1 = some[1] }
      if some.count > 2 { arguments.terms.2 = some[2] }
      if some.count > 3 { arguments.terms.3 = some[3] }
      (arguments.out, arguments.rows, arguments.columns) = (out.view, Int64(out.rows), Int64(out.columns))
      (arguments.term_count, arguments.accumulate) = (Int32(some.count), first > 0 ? 1 : 0)
      gpu.launch(.gatherSum, rows: out.rows, arguments)
    }
  }
}
