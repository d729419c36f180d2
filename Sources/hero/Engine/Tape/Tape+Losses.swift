extension Tape {
  /// Cross-entropy of each row against its target; the gradient of `weight`·Σ losses flows back.
  ///
  /// The logits' memory is reused for their gradient: read them before, if at all.
  /// - Parameters:
  ///   - logits: [n, …]; only the first `columns` columns count.
  ///   - targets: n columns; −1 leaves a row out.
  ///   - smoothing: spread over the other columns, the loss then being a KL divergence.
  ///   - weight: of each row's loss in the total, e.g. 1 / n for a mean.
  /// - Returns: each row's loss, unweighted.
  public func crossEntropy(
    _ logits: Tensor, columns: Int? = nil, targets: Indices, smoothing: Float = 0, weight: Float
  ) -> [Float] {
    lossRows(logits.rows, logits, weight) { gradientScale, rowLosses in
      backend.crossEntropy(
        logits, columns: columns ?? logits.columns, targets: targets, smoothing: smoothing,
        gradientScale: gradientScale, rowLosses: rowLosses)
    }
  }

  /// Cross-entropy within each segment of each row of logits.
  /// - Parameters:
  ///   - logits: [k, rows]
  ///   - targets: k · segments places, counted from the segment's start, row after row; −1 leaves one out.
  /// - Returns: k · segments losses, unweighted.
  public func segmentCrossEntropy(
    _ logits: Tensor, segments: Segments, targets: Indices, weight: Float
  ) -> [Float] {
    lossRows(logits.rows * segments.count, logits, weight) { gradientScale, rowLosses in
      backend.segmentCrossEntropy(
        logits, segments: segments, targets: targets, gradientScale: gradientScale, rowLosses: rowLosses)
    }
  }

  private func lossRows(
    _ count: Int, _ logits: Tensor, _ weight: Float,
    _ compute: (_ gradientScale: Float?, UnsafeMutableBufferPointer<Float>) -> Void
  ) -> [Float] {
    let goesBack = isTraining && logits.needsGradient
    precondition(!goesBack || logits.parameters.isEmpty, "a loss would overwrite a parameter")
    let losses = [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
      compute(goesBack ? weight : nil, UnsafeMutableBufferPointer(rebasing: buffer[..<count]))
      initialized = count
    }
    if goesBack {
      let gradient = logits.withoutGradient
      recordLoss { [unowned self] in accumulate(gradient, to: logits, mayKeep: true) }
    }
    return losses
  }

  /// A loss over few numbers, computed where the caller likes (ranking, binary cross-entropy).
  /// - Parameter loss: from the tensors' values, row by row, their gradients.
  public func customLoss(_ inputs: [Tensor], _ loss: ([[Float]]) -> [[Float]]) {
    let gradients = loss(inputs.map { backend.values(of: $0) })
    precondition(gradients.count == inputs.count)
    for (input, gradient) in zip(inputs, gradients) where input.needsGradient {
      recordLoss { [unowned self] in
        accumulate(
          backend.makeTensor(gradient, rows: input.rows, columns: input.columns), to: input, mayKeep: true)
      }
    }
  }
}
