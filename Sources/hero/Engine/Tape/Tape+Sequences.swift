extension Tape {
  /// Returns softmax(QKᵀ/√d)·V for each head of each packed sequence, with dropout on the
  /// probabilities.
  /// - Parameters:
  ///   - queries: [Σ query lengths, …], queries in the columns from `queryColumn`.
  ///   - keysValues: [Σ key lengths, …]; the same tensor as `queries` for self-attention.
  ///   - width: the columns of each of q, k and v, divided among `heads`.
  ///   - keyRanges: the rows of `keysValues` that each sequence attends to. Without a backward pass
  ///     they may overlap and leave gaps (caches, beams over one memory).
  /// - Returns: [Σ query lengths, width]
  public func attention(
    queries: Tensor, queryColumn: Int = 0, keysValues: Tensor, keyColumn: Int, valueColumn: Int, width: Int,
    heads: Int, querySegments: Segments, keyRanges: RowRanges, causal: Bool = false,
    dropout probability: Float
  ) -> Tensor {
    let input = AttentionInput(
      queries: queries, queryColumn: queryColumn, keysValues: keysValues, keyColumn: keyColumn,
      valueColumn: valueColumn, width: width, heads: heads, querySegments: querySegments,
      keyRanges: keyRanges,
      causal: causal, dropout: dropout(probability))
    let out = output(rows: queries.rows, columns: width, from: [queries, keysValues])
    let kept = out.needsGradient ? input.makeKept(on: backend, out: out) : nil
    backend.run(Attention(input: input, out: out, kept: kept))
    let result = out.withoutGradient
    record(out) { [unowned self] dy in
      guard let kept, let dQueries = target(queries),
        let dKeysValues = queries === keysValues ? dQueries : target(keysValues)
      else { preconditionFailure("queries, keys and values are trained") }
      // The columns of q, k and v receive the whole gradient of their tensors, which nothing else
      // reads.
      precondition(!dQueries.accumulate && !dKeysValues.accumulate)
      precondition(
        queries === keysValues
          ? queries.columns == 3 * width : queries.columns == width && keysValues.columns == 2 * width)
      precondition(
        keyRanges.ranges.reduce(0) { $0 + $1.count } == keysValues.rows, "every key needs a gradient")
      backend.run(
        AttentionBackward(
          dy: dy, input: input, out: result, kept: kept, dQueries: dQueries.tensor,
          dKeysValues: dKeysValues.tensor))
    }
    return out
  }

  /// Returns the attention where sequence s has the keys of segment s.
  public func attention(
    queries: Tensor, queryColumn: Int = 0, keysValues: Tensor, keyColumn: Int, valueColumn: Int, width: Int,
    heads: Int, querySegments: Segments, keySegments: Segments, causal: Bool = false,
    dropout probability: Float
  ) -> Tensor {
    attention(
      queries: queries, queryColumn: queryColumn, keysValues: keysValues, keyColumn: keyColumn,
      valueColumn: valueColumn, width: width, heads: heads, querySegments: querySegments,
      keyRanges: keySegments.rowRanges, causal: causal, dropout: probability)
  }

  /// Returns the attention of a new row of every sequence to itself and the rows before it.
  ///
  /// `cache` holds the keys and values of the rows before and receives those of the new rows.
  /// - Parameters:
  ///   - rows: [sequences, 3·width]: queries, keys and values.
  ///   - cache: [sequences·capacity, 2·width], of the type of `rows`.
  ///   - places: the row of the cache for the new row of each sequence.
  /// - Precondition: the tape is not training.
  public func stepAttention(_ rows: Tensor, cache: Tensor, places: Indices, heads: Int) -> Tensor {
    precondition(!isTraining)
    let out = output(rows: rows.rows, columns: rows.columns / 3, from: [rows])
    backend.run(StepAttention(rows: rows, cache: cache, places: places, heads: heads, out: out))
    return out
  }

  /// Returns Σ softmax(scores within a segment)·rows, one row per segment.
  /// - Parameters:
  ///   - x: [rows, d]
  ///   - scores: [rows, 1]
  /// - Returns: [segments, d]; zeros for an empty segment.
  public func softmaxPool(_ x: Tensor, scores: Tensor, segments: Segments) -> Tensor {
    precondition(x !== scores, "two gradients would go to one place")
    let out = output(rows: segments.count, columns: x.columns, from: [x, scores])
    let weights = backend.makeTensor(rows: 1, columns: x.rows)
    backend.run(SoftmaxPool(x: x, scores: scores, segments: segments, weights: weights, out: out))
    record(out) { [unowned self] dy in
      backend.run(
        SoftmaxPoolBackward(
          dy: dy, x: x, segments: segments, weights: weights, dx: target(x), dScores: target(scores)))
    }
    return out
  }

  /// Returns the largest of each segment's columns: [m, segments.rows] → [m, segments].
  public func segmentMax(_ x: Tensor, segments: Segments) -> Tensor {
    let out = output(rows: x.rows, columns: segments.count, from: [x], type: .float32)
    let places = backend.makeIndices(count: x.rows * segments.count)
    backend.run(SegmentMax(x: x, segments: segments, places: places, out: out))
    record(out) { [unowned self] dy in
      guard let dx = target(x) else { return }
      backend.run(SegmentMaxBackward(dy: dy, segments: segments, places: places, dx: dx))
    }
    return out
  }

  /// Returns the dot products of query row p with the rows `pairs[p]` of x, end to end.
  /// - Parameter places: the segments of the result; segment p is as long as `pairs[p]`.
  /// - Returns: [1, places.rows]
  public func pairDot(_ queries: Tensor, _ x: Tensor, pairs: RowRanges, places: Segments) -> Tensor {
    let out = output(rows: 1, columns: places.rows, from: [queries, x], type: .float32)
    backend.run(PairDot(queries: queries, x: x, pairs: pairs, places: places, out: out))
    record(out) { [unowned self] dy in
      backend.run(
        PairDotBackward(
          dy: dy, queries: queries, x: x, pairs: pairs, places: places, dQueries: target(queries),
          dx: target(x)))
    }
    return out
  }

  /// Returns the dot products of query row `queryRows[p]` with the rows `pairs[p]` of x, end to
  /// end, without a backward pass.
  /// - Parameter places: the segments of the result; segment p is as long as `pairs[p]`.
  /// - Returns: [1, places.rows]
  public func pairDot(
    _ queries: Tensor, queryRows: [Int], _ x: Tensor, pairs: RowRanges, places: Segments
  ) -> Tensor {
    precondition(!isTraining, "pairs with chosen queries have no gradient")
    precondition(queryRows.allSatisfy { (0..<queries.rows).contains($0) })
    let out = backend.makeTensor(rows: 1, columns: places.rows)
    backend.run(
      PairDot(
        queries: queries, queryRows: backend.makeIndices(queryRows), x: x, pairs: pairs, places: places,
        out: out))
    return out
  }

  /// Returns the centred 1-D convolution of every segment by itself; x: [1, rows], kernel: an odd
  /// number of elements.
  public func convolve(_ x: Tensor, kernel: Tensor, segments: Segments) -> Tensor {
    let out = output(rows: 1, columns: x.count, from: [x, kernel], type: .float32)
    backend.run(Convolve(x: x, kernel: kernel, segments: segments, out: out))
    record(out) { [unowned self] dy in
      backend.run(
        ConvolveBackward(
          dy: dy, x: x, kernel: kernel, segments: segments, dx: target(x), dKernel: target(kernel)))
    }
    return out
  }
}
