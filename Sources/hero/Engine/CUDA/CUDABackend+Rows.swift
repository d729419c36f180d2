import CCUDA

/// How a norm's rows lie among threads, 32 columns each: a warp has a row, eight of them a block;
/// of a wide row a block has one.
private struct NormShape {
  let isWide: Bool
  let block: Int
  var lines: Int { isWide ? 1 : 8 }

  init(columns: Int) {
    isWide = columns > HERO_WARP_COLUMNS
    precondition(columns <= HERO_BLOCK_COLUMNS, "a norm's width, which `limits` rules out")
    block = isWide ? (columns + 1023) / 1024 * 32 : 256
  }
}

extension CUDABackend {
  public func gatherSum(_ terms: [(table: Tensor, indices: Indices?)], out: Tensor) {
    for term in terms {
      precondition(term.table.columns == out.columns && (term.indices?.count ?? term.table.rows) == out.rows)
      precondition(term.indices?.areBelow(term.table.rows) ?? true, "a row that the table does not have")
    }
    // Four terms at a time.
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
      launch(.gatherSum, rows: out.rows, arguments)
    }
  }

  /// A row whose index no other has is added where it belongs. Of the others the first row of a
  /// stretch with an index adds up the stretch's, the first of all adds up the stretches: the order
  /// is that of the rows, whatever runs when.
  public func scatterAdd(_ from: Tensor, indices: Indices?, to: Tensor) {
    guard let indices else { return add(from, to: to) }
    precondition(from.columns == to.columns && indices.count == from.rows && indices.areBelow(to.rows))
    changes(to)
    let block = Self.warps(columns: from.columns)
    var arguments = hero_scatter_arguments()
    (arguments.from, arguments.to, arguments.indices) = (
      from.view, to.view, indices.numbers.map { UnsafePointer($0) }
    )
    (arguments.rows, arguments.columns) = (Int64(from.rows), Int64(from.columns))
    guard from.rows > HERO_SCATTER_STRETCH else {
      return launch(.scatterParts, rows: from.rows, block: block, arguments)
    }
    let (leaders, counts, parts) = (
      makeIndices(count: from.rows), makeIndices(count: 3 * to.rows), scratch(from.count)
    )
    // The bits of 0 are the same for whole numbers.
    launch(
      .fill, elements: counts.count, each: 4,
      hero_fill_arguments(
        y: hero_view(data: counts.numbers, half: 0), sums: nil, value: 0, count: Int64(counts.count)))
    (arguments.leaders, arguments.parts, arguments.uses) = (leaders.numbers, parts.floats, counts.numbers)
    arguments.leads = counts.numbers.map { $0 + to.rows }
    arguments.firsts = counts.numbers.map { $0 + 2 * to.rows }
    launch(.scatterCount, elements: from.rows, arguments)
    launch(.scatterParts, rows: from.rows, block: block, arguments)
    launch(.scatterAdd, rows: from.rows, block: block, arguments)
  }

  /// Threads of a block that has a row, four columns each: whole warps, eight at most.
  private static func warps(columns: Int) -> Int { min(8, max(1, (columns + 127) / 128)) * 32 }

  public func dropout(_ x: Tensor, _ dropout: Dropout, out: Tensor) {
    precondition(x.count == out.count)
    launch(
      .dropout, rows: x.rows,
      hero_dropout_arguments(
        x: x.view, y: out.view, rows: Int64(x.rows), columns: Int64(x.columns), drop: hero_drop(dropout)))
  }

  public func transpose(_ x: Tensor, out: Tensor) {
    precondition(x.rows == out.columns && x.columns == out.rows)
    launch(
      .transpose, elements: x.count,
      hero_transpose_arguments(x: x.view, out: out.view, rows: Int64(x.rows), columns: Int64(x.columns)))
  }

  public func layerNorm(
    _ x: Tensor, residual: Tensor?, gamma: Tensor, beta: Tensor, epsilon: Float, inner: Dropout?,
    outer: Dropout?, sum: Tensor, statistics: Tensor, out: Tensor
  ) {
    let (rows, columns) = (x.rows, x.columns)
    precondition(gamma.count == columns && beta.count == columns && statistics.count == 2 * rows)
    precondition(sum.count == x.count && out.count == x.count && residual?.count ?? x.count == x.count)
    let isSum = residual == nil && inner == nil && sum.address == x.address
    let shape = NormShape(columns: columns)
    launch(
      shape.isWide ? .layerNormWide : .layerNorm, grid: ((rows + shape.lines - 1) / shape.lines, 1, 1),
      block: shape.block,
      hero_norm_arguments(
        x: x.view, residual: residual.view, sum: sum.view, out: out.view, gamma: gamma.floats,
        beta: beta.floats,
        statistics: statistics.floats, rows: Int64(rows), columns: Int64(columns), epsilon: epsilon,
        keeps_sum: isSum ? 0 : 1, inner: hero_drop(inner), outer: hero_drop(outer)))
  }

  public func layerNormBackward(
    _ dy: Tensor, sum: Tensor, statistics: Tensor, gamma: Tensor, inner: Dropout?, outer: Dropout?,
    dx: GradientTarget?, dResidual: GradientTarget?, dGamma: GradientTarget, dBeta: GradientTarget
  ) {
    let (rows, columns) = (sum.rows, sum.columns)
    let shape = NormShape(columns: columns)
    // As many blocks as two for each processor of a large device, each with a row for every line at
    // least.
    let each = max(shape.lines, (rows + 255) / 256)
    let parts = (rows + each - 1) / each
    let sums = scratch(2 * parts * columns)
    launch(
      shape.isWide ? .layerNormBackwardWide : .layerNormBackward, grid: (parts, 1, 1), block: shape.block,
      hero_norm_backward_arguments(
        dy: dy.view, sum: sum.view, dx: dx.view, d_residual: dResidual.view, gamma: gamma.floats,
        statistics: statistics.floats, parts: sums.floats, rows: Int64(rows), columns: Int64(columns),
        rows_per_part: Int64(each), accumulate_x: dx.adds, accumulate_residual: dResidual.adds,
        inner: hero_drop(inner), outer: hero_drop(outer)))
    for (target, place) in [(dGamma, 0), (dBeta, 1)] {
      addParts(sums, offset: place * columns, count: columns, stride: 2 * columns, parts: parts, to: target)
    }
  }

  public func normalizeRows(_ x: Tensor, floor: Float, lengths: Tensor, out: Tensor) {
    precondition(lengths.count == x.rows && out.count == x.count)
    launch(
      .normalizeRows, rows: x.rows,
      hero_unit_arguments(
        x: x.view, out: out.view, lengths: lengths.floats, rows: Int64(x.rows), columns: Int64(x.columns),
        floor: floor))
  }

  public func normalizeRowsBackward(
    _ dy: Tensor, out: Tensor, floor: Float, lengths: Tensor, dx: GradientTarget
  ) {
    launch(
      .normalizeRowsBackward, rows: out.rows,
      hero_unit_backward_arguments(
        dy: dy.view, out: out.view, dx: dx.tensor.view, lengths: lengths.floats, rows: Int64(out.rows),
        columns: Int64(out.columns), floor: floor, accumulate: dx.accumulate ? 1 : 0))
  }

  public func argmax(_ x: Tensor, columns: Int, places: Indices) {
    precondition(columns > 0 && columns <= x.columns && places.count == x.rows)
    var arguments = hero_top_arguments()
    (arguments.x, arguments.places) = (x.view, places.numbers)
    (arguments.columns, arguments.stride, arguments.kept) = (Int64(columns), Int64(x.columns), 1)
    launch(.top, rows: x.rows, block: 1024, arguments)
  }

  public func topK(
    _ x: Tensor, firstColumn: Int, earlier: (values: Tensor, places: Indices)?, values: Tensor,
    places: Indices
  ) {
    precondition(values.rows == x.rows && places.count == values.count)
    precondition(earlier.map { $0.values.rows == x.rows && $0.places.count == $0.values.count } ?? true)
    var arguments = hero_top_arguments()
    (arguments.x, arguments.values, arguments.places) = (x.view, values.floats, places.numbers)
    (arguments.columns, arguments.stride, arguments.kept) = (
      Int64(x.columns), Int64(x.columns), Int64(values.columns)
    )
    arguments.first_column = Int64(firstColumn)
    arguments.earlier_values = earlier?.values.floats.map { UnsafePointer($0) }
    arguments.earlier_places = earlier?.places.numbers.map { UnsafePointer($0) }
    arguments.earlier = Int64(earlier?.values.columns ?? 0)
    launch(.top, rows: x.rows, block: 1024, arguments)
  }
}
