import CCUDA

extension Segments {
  fileprivate var numbers: UnsafePointer<Int32>? { starts.numbers.map { UnsafePointer($0) } }
}

extension CUDABackend {
  public func softmaxPool(_ x: Tensor, scores: Tensor, segments: Segments, weights: Tensor, out: Tensor) {
    precondition(scores.count == x.rows && segments.rows == x.rows && out.rows == segments.count)
    var arguments = hero_pool_arguments()
    (arguments.x, arguments.scores, arguments.out) = (x.view, scores.view, out.view)
    (arguments.starts, arguments.weights) = (segments.numbers, weights.floats)
    arguments.columns = Int64(x.columns)
    launch(.softmaxPool, rows: segments.count, arguments)
  }

  public func softmaxPoolBackward(
    _ dy: Tensor, x: Tensor, segments: Segments, weights: Tensor, dx: GradientTarget?,
    dScores: GradientTarget?
  ) {
    let dots = scratch(x.rows)
    var arguments = hero_pool_arguments()
    (arguments.x, arguments.dy, arguments.dx, arguments.d_scores) = (x.view, dy.view, dx.view, dScores.view)
    (arguments.starts, arguments.weights, arguments.dots) = (segments.numbers, weights.floats, dots.floats)
    (arguments.columns, arguments.accumulate_x, arguments.accumulate_scores) = (
      Int64(x.columns), dx.adds, dScores.adds
    )
    launch(.softmaxPoolBackward, rows: segments.count, arguments)
  }

  public func segmentMax(_ x: Tensor, segments: Segments, places: Indices, out: Tensor) {
    precondition(x.columns == segments.rows && out.rows == x.rows && out.columns == segments.count)
    var arguments = hero_most_arguments()
    (arguments.x, arguments.out, arguments.starts, arguments.places) = (
      x.view, out.view, segments.numbers, places.numbers
    )
    (arguments.rows, arguments.columns, arguments.segments) = (
      Int64(x.rows), Int64(x.columns), Int64(segments.count)
    )
    launch(.segmentMax, grid: ((out.count + 3) / 4, 1, 1), block: 128, arguments)
  }

  public func segmentMaxBackward(_ dy: Tensor, segments: Segments, places: Indices, dx: GradientTarget) {
    if !dx.accumulate { fill(dx.tensor, with: 0) }
    var arguments = hero_most_arguments()
    (arguments.dy, arguments.dx, arguments.places) = (dy.view, dx.tensor.view, places.numbers)
    (arguments.rows, arguments.columns, arguments.segments) = (
      Int64(dx.tensor.rows), Int64(dx.tensor.columns), Int64(segments.count)
    )
    launch(.segmentMaxBackward, elements: dy.count, arguments)
  }

  private func pairs(_ x: Tensor, _ pairs: RowRanges, _ places: Segments) -> hero_pairs_arguments {
    var arguments = hero_pairs_arguments()
    arguments.x = x.view
    arguments.first = pairs.starts.numbers.map { UnsafePointer($0) }
    arguments.last = pairs.ends.numbers.map { UnsafePointer($0) }
    arguments.places = places.numbers
    (arguments.pairs, arguments.rows, arguments.columns) = (
      Int64(pairs.count), Int64(x.rows), Int64(x.columns)
    )
    return arguments
  }

  public func pairDot(
    _ queries: Tensor, queryRows: Indices?, _ x: Tensor, pairs: RowRanges, places: Segments, out: Tensor
  ) {
    var arguments = self.pairs(x, pairs, places)
    precondition(queryRows?.areBelow(queries.rows) ?? true, "a query that is not there")
    arguments.query_rows = queryRows?.numbers.map { UnsafePointer($0) }
    (arguments.queries, arguments.out) = (queries.view, out.view)
    launch(.pairDot, rows: pairs.count, arguments)
  }

  public func pairDotBackward(
    _ dy: Tensor, _ queries: Tensor, _ x: Tensor, pairs: RowRanges, places: Segments,
    dQueries: GradientTarget?, dx: GradientTarget?
  ) {
    var arguments = self.pairs(x, pairs, places)
    (arguments.queries, arguments.dy) = (queries.view, dy.view)
    (arguments.d_queries, arguments.accumulate_queries) = (dQueries.view, dQueries.adds)
    (arguments.dx, arguments.accumulate_x) = (dx.view, dx.adds)
    if dQueries != nil { launch(.pairDotQueries, rows: pairs.count, arguments) }
    // Of pairs of a tensor with itself both go to one place: the second adds to what the first
    // wrote.
    if let dx, let dQueries, dx.tensor.address == dQueries.tensor.address { arguments.accumulate_x = 1 }
    if dx != nil { launch(.pairDotRows, rows: x.rows, arguments) }
  }

  public func convolve(_ x: Tensor, kernel: Tensor, segments: Segments, out: Tensor) {
    var arguments = hero_convolution_arguments()
    (arguments.x, arguments.out, arguments.kernel) = (
      x.view, out.view, kernel.floats.map { UnsafePointer($0) }
    )
    (arguments.starts, arguments.segments, arguments.width) = (
      segments.numbers, Int64(segments.count), Int32(kernel.count)
    )
    launch(.convolve, rows: segments.count, arguments)
  }

  public func convolveBackward(
    _ dy: Tensor, x: Tensor, kernel: Tensor, segments: Segments, dx: GradientTarget?, dKernel: GradientTarget?
  ) {
    var arguments = hero_convolution_arguments()
    (arguments.x, arguments.dy, arguments.kernel) = (x.view, dy.view, kernel.floats.map { UnsafePointer($0) })
    (arguments.starts, arguments.segments, arguments.width) = (
      segments.numbers, Int64(segments.count), Int32(kernel.count)
    )
    (arguments.dx, arguments.accumulate_x) = (dx.view, dx.adds)
    (arguments.d_kernel, arguments.accumulate_kernel) = (dKernel.view, dKernel.adds)
    if dx != nil { launch(.convolveRows, rows: segments.count, arguments) }
    if dKernel != nil { launch(.convolveKernel, rows: kernel.count, arguments) }
  }

  public func segmentSoftmax(_ x: Tensor, segments: Segments) {
    precondition(x.count == segments.rows)
    var arguments = hero_pool_arguments()
    (arguments.x, arguments.starts) = (x.view, segments.numbers)
    launch(.segmentSoftmax, rows: segments.count, arguments)
  }
}
