import CCUDA
import CKernels

/// The dot products of query row p, or `queryRows[p]` if given, with rows `pairs[p]` of x.
///
/// They are segment p of `places` in out: [1, places.rows]. Pairs with given query rows that share
/// their rows of x are computed together.
struct PairDot: Operation {
  let queries: Tensor
  var queryRows: Indices?
  let x: Tensor
  let pairs: RowRanges
  let places: Segments
  let out: Tensor

  func check() {
    precondition(queries.columns == x.columns && places.count == pairs.count && out.count == places.rows)
    precondition((queryRows?.count ?? queries.rows) == pairs.count)
    precondition(pairs.lengths == places.lengths)
    precondition(pairs.ranges.allSatisfy { $0.isEmpty || $0.isWithin(x.rows) })
    precondition(queryRows?.areBelow(queries.rows) ?? true, "a query that is not there")
  }

  var reads: [(any Operand)?] { [queries, x, queryRows, pairs.starts, pairs.ends, places.starts] }
  var writes: [(any Operand)?] { [out] }
  var shape: [Int] { [pairs.count, x.columns] }

  func run(on cpu: CPUBackend) {
    if let queryRows { return cpu.groupedDot(queries, queryRows, x, pairs: pairs, places: places, out: out) }
    var staged = Staged(cpu)
    defer { staged.finish() }
    let (columns, kernels) = (x.columns, cpu.kernels)
    let (q, from, to) = (staged.reading(queries).pointer, staged.reading(x).pointer, out.pointer)
    let starts = places.offsets
    cpu.pool.split(pairs.count, grain: 4) { range, _ in
      for p in range {
        for (i, r) in pairs[p].enumerated() {
          to[starts[p] + i] = kernels.dot(q + p * columns, from + r * columns, columns)
        }
      }
    }
  }

  func run(on gpu: CUDABackend) {
    var arguments = hero_pairs_arguments(x, pairs, places)
    arguments.query_rows = queryRows?.numbers.map { UnsafePointer($0) }
    (arguments.queries, arguments.out) = (queries.view, out.view)
    gpu.launch(.pairDot, rows: pairs.count, arguments)
  }
}

/// The gradients of ``PairDot`` for pairs of query row p.
struct PairDotBackward: Operation {
  let dy: Tensor
  let queries: Tensor
  let x: Tensor
  let pairs: RowRanges
  let places: Segments
  let dQueries: GradientTarget?
  let dx: GradientTarget?

  func check() {
    precondition(queries.columns == x.columns && queries.rows == pairs.count && dy.count == places.rows)
  }

  var reads: [(any Operand)?] { [dy, queries, x, pairs.starts, pairs.ends, places.starts] }
  var writes: [(any Operand)?] { [dQueries, dx] }
  var shape: [Int] { x.shape }

  /// Runs on one thread: several queries may share rows, and a batch has few.
  func run(on cpu: CPUBackend) {
    var staged = Staged(cpu)
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
        if let toQueries {
          cpu.kernels.axpy(toQueries + p * columns, gradient[at], from + r * columns, columns)
        }
        if let toX { cpu.kernels.axpy(toX + r * columns, gradient[at], q + p * columns, columns) }
        at += 1
      }
    }
  }

  func run(on gpu: CUDABackend) {
    var arguments = hero_pairs_arguments(x, pairs, places)
    (arguments.queries, arguments.dy) = (queries.view, dy.view)
    (arguments.d_queries, arguments.accumulate_queries) = (dQueries.view, dQueries.adds)
    (arguments.dx, arguments.accumulate_x) = (dx.view, dx.adds)
    if dQueries != nil { gpu.launch(.pairDotQueries, rows: pairs.count, arguments) }
    // For pairs of a tensor with itself, both gradients go to one place: the second adds to the
    // first.
    if let dx, let dQueries, dx.tensor.address == dQueries.tensor.address { arguments.accumulate_x = 1 }
    if dx != nil { gpu.launch(.pairDotRows, rows: x.rows, arguments) }
  }
}

extension hero_pairs_arguments {
  fileprivate init(_ x: Tensor, _ pairs: RowRanges, _ places: Segments) {
    self.init()
    self.x = x.view
    first = pairs.starts.numbers.map { UnsafePointer($0) }
    last = pairs.ends.numbers.map { UnsafePointer($0) }
    self.places = places.numbers
    (self.pairs, rows, columns) = (Int64(pairs.count), Int64(x.rows), Int64(x.columns))
  }
}
