/// Losses, which stay on the device until `Backend.numbers` reads them.
///
/// On a training tape, the gradient of `weight` times the sum of the rows' losses flows back.
extension Tape {
  /// Returns the cross-entropy of each row against its target.
  ///
  /// The gradient overwrites the logits' memory; read them before, if at all.
  /// - Parameters:
  ///   - logits: [n, …]; only the first `columns` columns count.
  ///   - targets: the column of each row's target, n numbers; −1 skips a row.
  ///   - smoothing: the share spread over the other columns; with it the loss is a KL divergence.
  ///   - weight: the weight of each row's loss in the total, such as 1 / n for a mean.
  /// - Returns: each row's loss, unweighted: [1, n].
  public func crossEntropy(
    _ logits: Tensor, columns: Int? = nil, targets: Indices, smoothing: Float = 0, weight: Float
  ) -> Tensor {
    losses(logits.rows, logits, weight) {
      CrossEntropy(
        x: logits, columns: columns ?? logits.columns, targets: targets, smoothing: smoothing,
        gradientScale: $0, losses: $1)
    }
  }

  /// Returns the cross-entropy within each segment of each row of logits, whose memory is reused.
  /// - Parameters:
  ///   - logits: [k, rows]
  ///   - targets: k · segments places, row after row, each counted from its segment's start; −1
  ///     skips one.
  /// - Returns: unweighted losses: [1, k · segments].
  public func segmentCrossEntropy(
    _ logits: Tensor, segments: Segments, targets: Indices, weight: Float
  ) -> Tensor {
    losses(logits.rows * segments.count, logits, weight) {
      SegmentCrossEntropy(x: logits, segments: segments, targets: targets, gradientScale: $0, losses: $1)
    }
  }

  /// Returns the cross-entropy of each logit's sigmoid against 1 or 0; −1 skips one.
  ///
  /// The logits' memory is reused.
  /// - Returns: unweighted losses: [1, logits].
  public func binaryCrossEntropy(_ logits: Tensor, targets: Indices, weight: Float) -> Tensor {
    losses(logits.count, logits, weight) {
      BinaryCrossEntropy(x: logits, targets: targets, gradientScale: $0, losses: $1)
    }
  }

  /// Returns the L2 distance of each row from the same row of `targets`; the memory of `x` is
  /// reused.
  /// - Returns: unweighted losses: [1, rows].
  public func distances(_ x: Tensor, targets: Tensor, weight: Float) -> Tensor {
    losses(x.rows, x, weight) { Distances(x: x, targets: targets, gradientScale: $0, losses: $1) }
  }

  /// Returns both ranking losses; the gradient of their weighted sum flows back.
  /// - Returns: the context loss and the query loss, unweighted: [1, 2], float64.
  public func ranking(_ input: RankingInput, weights: (context: Float, query: Float)) -> Tensor {
    let (scores, sums) = (input.scores, backend.makeSums(2))
    let gradient =
      isTraining && scores.needsGradient
      ? backend.makeTensor(rows: scores.rows, columns: scores.columns) : nil
    backend.run(RankingLoss(input: input, weights: weights, gradient: gradient, losses: sums))
    if let gradient {
      recordLoss { [unowned self] in accumulate(gradient, to: scores, mayKeep: true) }
    }
    return sums
  }

  /// Returns scale·Σ of losses, for reading at the end of the update.
  /// - Returns: one float64.
  public func sum(_ losses: [Tensor], scale: Double) -> Tensor {
    let sum = backend.makeSums()
    for losses in losses { backend.run(AddSum(losses, scale: scale, to: sum, at: 0)) }
    return sum
  }

  private func losses(
    _ count: Int, _ logits: Tensor, _ weight: Float,
    _ operation: (_ gradientScale: Float?, _ losses: Tensor) -> some Operation
  ) -> Tensor {
    let goesBack = isTraining && logits.needsGradient
    precondition(!goesBack || logits.parameters.isEmpty, "a loss would overwrite a parameter")
    let losses = backend.makeTensor(rows: 1, columns: count)
    backend.run(operation(goesBack ? weight : nil, losses))
    if goesBack {
      let gradient = logits.withoutGradient
      recordLoss { [unowned self] in accumulate(gradient, to: logits, mayKeep: true) }
    }
    return losses
  }
}
