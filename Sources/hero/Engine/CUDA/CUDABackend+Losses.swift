import CCUDA

extension CUDABackend {
  public func crossEntropy(
    _ logits: Tensor, columns: Int, targets: Indices, smoothing: Float, gradientScale: Float?, losses: Tensor
  ) {
    precondition(targets.count == logits.rows && losses.count == logits.rows && columns <= logits.columns)
    precondition(smoothing >= 0 && smoothing < 1 && (smoothing == 0 || columns > 1))
    precondition(targets.areBelow(columns), "a target that no column is")
    launch(
      .crossEntropy, rows: logits.rows, block: 256,
      hero_entropy_arguments(
        logits: logits.view, targets: targets.numbers, starts: nil, losses: losses.floats,
        stride: Int64(logits.columns), columns: Int64(columns), segments: 1, smoothing: smoothing,
        scale: gradientScale ?? 0, has_gradient: gradientScale == nil ? 0 : 1))
  }

  public func segmentCrossEntropy(
    _ logits: Tensor, segments: Segments, targets: Indices, gradientScale: Float?, losses: Tensor
  ) {
    precondition(targets.count == logits.rows * segments.count && logits.columns == segments.rows)
    precondition(losses.count == targets.count)
    precondition(targets.areWithin(segments), "a target after its segment's end")
    launch(
      .segmentCrossEntropy, rows: targets.count, block: 64,
      hero_entropy_arguments(
        logits: logits.view, targets: targets.numbers, starts: segments.starts.numbers, losses: losses.floats,
        stride: Int64(logits.columns), columns: 0, segments: Int64(segments.count), smoothing: 0,
        scale: gradientScale ?? 0, has_gradient: gradientScale == nil ? 0 : 1))
  }

  public func binaryCrossEntropy(_ logits: Tensor, targets: Indices, gradientScale: Float?, losses: Tensor) {
    precondition(targets.count == logits.count && losses.count == logits.count)
    launch(
      .binaryCrossEntropy, elements: logits.count,
      hero_binary_arguments(
        x: logits.view, targets: targets.numbers, losses: losses.floats, count: Int64(logits.count),
        scale: gradientScale ?? 0, has_gradient: gradientScale == nil ? 0 : 1))
  }

  public func distances(_ x: Tensor, targets: Tensor, gradientScale: Float?, losses: Tensor) {
    precondition(targets.count == x.count && losses.count == x.rows)
    launch(
      .rowDistances, rows: x.rows, block: 256,
      hero_distance_arguments(
        x: x.view, targets: targets.view, losses: losses.floats, columns: Int64(x.columns),
        scale: gradientScale ?? 0, has_gradient: gradientScale == nil ? 0 : 1))
  }

  public func ranking(
    _ input: RankingInput, weights: (context: Float, query: Float), gradient: Tensor?, losses: Tensor
  ) {
    let (queries, slots) = (input.scores.rows, input.slots.count)
    precondition(input.slots.areBelow(input.scores.columns), "a slot without a column")
    let ranks = (makeIndices(count: queries * slots), makeIndices(count: queries * slots))
    var arguments = hero_ranking_arguments()
    (arguments.scores, arguments.slots, arguments.drawn) = (
      input.scores.view, input.slots.numbers.map { UnsafePointer($0) },
      input.drawn?.numbers.map { UnsafePointer($0) }
    )
    (arguments.context_ranks, arguments.query_ranks) = (ranks.0.numbers, ranks.1.numbers)
    (arguments.gradient, arguments.losses) = (gradient?.floats, losses.doubles)
    (arguments.queries, arguments.videos, arguments.slot_count) = (
      Int32(queries), Int32(input.scores.columns), Int32(slots)
    )
    (arguments.per_slot, arguments.is_hinge) = (Int32(input.queriesPerSlot), input.kind == .hinge ? 1 : 0)
    (arguments.pool_size, arguments.pool_weight) = (
      Int32(input.hardPool?.size ?? -1), input.hardPool?.weight ?? 1
    )
    (arguments.margin, arguments.context_weight, arguments.query_weight) = (
      input.margin, weights.context, weights.query
    )
    // A video by itself has no negatives.
    if slots <= 1 {
      fill(losses, with: 0)
      if let gradient { fill(gradient, with: 0) }
      return
    }
    if input.drawn != nil || input.hardPool != nil {
      launch(.rankingRanks, elements: queries * slots, arguments)
    }
    launch(.rankingLosses, grid: (1, 1, 1), block: 256, arguments)
    if let gradient {
      precondition(gradient.count == input.scores.count)
      launch(.rankingGradient, elements: gradient.count, arguments)
    }
  }

  public func addSum(_ x: Tensor, scale: Double, to sums: Tensor, at place: Int) {
    addSum(x, squared: false, scale: scale, to: sums, at: place)
  }

  public func addSumOfSquares(_ x: Tensor, to sums: Tensor, at place: Int) {
    addSum(x, squared: true, scale: 1, to: sums, at: place)
  }

  /// Every block sums a stretch of its own, whose length depends on nothing but the count; one
  /// block then sums the stretches.
  private func addSum(_ x: Tensor, squared: Bool, scale: Double, to sums: Tensor, at place: Int) {
    guard x.count > 0 else { return }
    let stretch = max(8192, (x.count + 1023) / 1024)
    let count = (x.count + stretch - 1) / stretch
    let parts = Tensor(rows: 1, columns: count, storage: makeStorage(count: count, type: .float64))
    launch(
      .sumElements, grid: (count, 1, 1), block: 256,
      hero_sum_arguments(
        x: x.view, parts: parts.doubles, count: Int64(x.count), stretch: Int64(stretch),
        squares: squared ? 1 : 0))
    launch(
      .addTotal, grid: (1, 1, 1), block: 256,
      hero_total_arguments(
        parts: parts.doubles.map { UnsafePointer($0) }, to: sums.element(place).doubles, scale: scale,
        part_count: Int32(count)))
  }
}

extension Indices {
  /// Whether the host's numbers, those of one row after another, are places within their segments.
  /// One of an empty segment does not count.
  fileprivate func areWithin(_ segments: Segments) -> Bool {
    guard let given else { return true }
    return given.indices.allSatisfy { number in
      let length = segments[number % segments.count].count
      return length == 0 || Int(given[number]) < length
    }
  }
}
