import Engine

extension DeviceCheck {
  /// An operation on matrices whose gradients are compared too.
  struct Operation {
    let name: String
    /// The rows and columns of each input.
    let inputs: [(Int, Int)]
    /// Whether the result is a loss, from which the backward pass starts.
    var isLoss = false
    let run: (Tape, [Tensor]) -> Tensor
  }

  /// Returns lengths of 0, 1 and more that sum to `total`.
  private func lengths(_ total: Int) -> [Int] {
    var (lengths, rest) = ([0, 1, min(total - 1, 17)], total - 1 - min(total - 1, 17))
    while rest > 0 {
      lengths.append(min(rest, 3 + lengths.count * 7 % 90))
      rest -= lengths[lengths.count - 1]
    }
    return lengths
  }

  private func numbers(_ count: Int, below: Int) -> [Int] {
    (0..<count).map { ($0 * 7919 + 3) % (below + 1) - 1 }
  }

  /// Every operation of the device boundary, through the calls that a model makes.
  var operations: [Operation] {
    rowOperations + sequenceOperations + lossOperations
  }

  private var rowOperations: [Operation] {
    let (n, d) = (size.rows, size.width)
    let indices = numbers(n, below: n / 3)
    return [Activation.none, .relu, .gelu].map { activation in
      Operation(name: "linear, \(activation)", inputs: [(n, d), (2 * d, d), (1, 2 * d)]) { tape, x in
        tape.linear(x[0], x[1], x[2], activation: activation)
      }
    } + [
      // Not one column: its distance has a sign as gradient, which rounding can flip.
      Operation(name: "linear, few columns", inputs: [(n, d), (3, d), (1, 3)]) { tape, x in
        tape.linear(x[0], x[1], x[2])
      },
      Operation(name: "linear, few rows", inputs: [(24, d), (2 * d, d), (1, 2 * d)]) { tape, x in
        tape.linear(x[0], x[1], x[2], activation: .gelu)
      },
      Operation(name: "feed-forward", inputs: [(n, d), (4 * d, d), (1, 4 * d), (d, 4 * d), (1, d)]) {
        tape, x in
        tape.feedForward(x[0], up: (x[1], x[2]), down: (x[3], x[4]))
      },
      Operation(name: "layer norm", inputs: [(n, d), (1, d), (1, d)]) { tape, x in
        tape.layerNorm(x[0], x[1], x[2], epsilon: 1e-5)
      },
      Operation(name: "layer norm, residual, dropouts", inputs: [(n, d), (n, d), (1, d), (1, d)]) { tape, x in
        tape.layerNorm(
          x[0], residual: x[1], x[2], x[3], epsilon: 1e-12, innerDropout: 0.1, outerDropout: 0.2)
      },
      Operation(name: "gather and scatter", inputs: [(n / 3, d), (n, d)]) { tape, x in
        tape.gatherSum([(x[0], tape.backend.makeIndices(indices)), (x[1], nil)])
      },
      Operation(name: "transpose", inputs: [(n, 2)]) { tape, x in tape.transpose(x[0]) },
      Operation(name: "normalize rows", inputs: [(n, d)]) { tape, x in tape.normalizeRows(x[0], floor: 1e-5)
      },
      Operation(name: "largest of rows", inputs: [(n / 4, size.columns)]) { tape, x in
        let backend = tape.backend
        let (values, places) = (
          backend.makeTensor(rows: x[0].rows, columns: 8), backend.makeIndices(count: 8 * x[0].rows)
        )
        backend.run(TopK(x[0], values: values, places: places))
        let first = backend.makeIndices(count: x[0].rows)
        backend.run(Argmax(x[0], columns: size.columns, places: first))
        let found =
          backend.values(of: values)
          + (backend.values(of: places) + backend.values(of: first)).map { Float($0) }
        return backend.makeTensor(found, rows: 1, columns: found.count)
      },
    ]
  }

  private var sequenceOperations: [Operation] {
    let (n, d, heads) = (size.rows, size.width, size.heads)
    let own = lengths(n)
    func attention(_ name: String, causal: Bool, dropout: Float) -> Operation {
      Operation(name: name, inputs: [(n, 3 * d)]) { tape, x in
        let segments = Segments(lengths: own, on: tape.backend)
        return tape.attention(
          queries: x[0], keysValues: x[0], keyColumn: d, valueColumn: 2 * d, width: d, heads: heads,
          querySegments: segments, keySegments: segments, causal: causal, dropout: dropout)
      }
    }
    // One segment has keys and no query rows, another a query row and no keys. Segments of many
    // rows have many keys. With a single key the probability is 1 whatever the query, the query's
    // gradient is 0, and a device returns only its rounding error.
    let memory = [own[1], own[0]] + own.dropFirst(2).reversed()
    let pairs = (0..<8).map { $0 * n / 16..<$0 * n / 16 + n / 4 }
    return [
      attention("attention", causal: false, dropout: 0),
      attention("attention, causal", causal: true, dropout: 0),
      attention("attention, dropout", causal: false, dropout: 0.1),
      Operation(name: "attention to a memory", inputs: [(n, d), (n, 2 * d)]) { tape, x in
        tape.attention(
          queries: x[0], keysValues: x[1], keyColumn: 0, valueColumn: d, width: d, heads: heads,
          querySegments: Segments(lengths: own, on: tape.backend),
          keySegments: Segments(lengths: memory, on: tape.backend), dropout: 0.1)
      },
      Operation(name: "softmax pool", inputs: [(n, d), (n, 1)]) { tape, x in
        tape.softmaxPool(x[0], scores: x[1], segments: Segments(lengths: own, on: tape.backend))
      },
      Operation(name: "segments' largest", inputs: [(30, n)]) { tape, x in
        tape.segmentMax(x[0], segments: Segments(lengths: own, on: tape.backend))
      },
      Operation(name: "dot products of pairs", inputs: [(8, d), (n, d)]) { tape, x in
        tape.pairDot(
          x[0], x[1], pairs: RowRanges(pairs, on: tape.backend),
          places: Segments(lengths: pairs.map(\.count), on: tape.backend))
      },
      Operation(name: "convolution", inputs: [(1, n), (1, 5)]) { tape, x in
        tape.convolve(x[0], kernel: x[1], segments: Segments(lengths: own, on: tape.backend))
      },
      Operation(name: "pairs of chosen queries and their softmax", inputs: [(4, d), (n, d)]) { tape, x in
        let places = Segments(lengths: pairs.map(\.count), on: tape.backend)
        let out = Tape.inference(tape.backend).pairDot(
          x[0], queryRows: pairs.indices.map { $0 % 4 }, x[1], pairs: RowRanges(pairs, on: tape.backend),
          places: places)
        tape.backend.run(SegmentSoftmax(out, segments: places))
        return out
      },
    ]
  }

  private var lossOperations: [Operation] {
    let (n, c) = (size.rows / 4, size.columns)
    let own = lengths(size.rows)
    func ranking(_ name: String, _ kind: RankingKind, hard: Bool = false, drawn: Bool = false) -> Operation {
      Operation(name: name, inputs: [(12, 6)], isLoss: true) { tape, x in
        let backend = tape.backend
        let input = RankingInput(
          scores: tape.scale(x[0], by: 1), slots: backend.makeIndices([0, 3, 1, 5, 5, 2]), queriesPerSlot: 2,
          kind: kind,
          margin: 0.1, hardPool: hard ? (2, 10) : nil,
          drawn: drawn ? backend.makeIndices((0..<18).map { $0 % 5 }) : nil)
        let sums = backend.numbers(of: [tape.ranking(input, weights: (8, 3))]).map { Float($0) }
        return backend.makeTensor(sums, rows: 1, columns: 2)
      }
    }
    return [Float(0), 0.1].map { smoothing in
      Operation(name: "cross-entropy, smoothing \(smoothing)", inputs: [(n, c)], isLoss: true) { tape, x in
        tape.crossEntropy(
          tape.scale(x[0], by: 1), columns: c - 3,
          targets: tape.backend.makeIndices(numbers(n, below: c - 3)),
          smoothing: smoothing, weight: 0.1)
      }
    } + [
      Operation(name: "cross-entropy of segments", inputs: [(2, size.rows)], isLoss: true) { tape, x in
        let targets = (own + own).enumerated().map { $0.element == 0 ? -1 : $0.offset % ($0.element + 1) - 1 }
        return tape.segmentCrossEntropy(
          tape.scale(x[0], by: 1), segments: Segments(lengths: own, on: tape.backend),
          targets: tape.backend.makeIndices(targets), weight: 0.1)
      },
      Operation(name: "binary cross-entropy", inputs: [(size.rows, 1)], isLoss: true) { tape, x in
        tape.binaryCrossEntropy(
          tape.scale(x[0], by: 3), targets: tape.backend.makeIndices(numbers(size.rows, below: 2)),
          weight: 0.1)
      },
      Operation(name: "distances", inputs: [(n, c)], isLoss: true) { tape, x in
        let targets = tape.backend.makeTensor(rows: n, columns: c)
        tape.backend.run(Fill(targets, with: 0.25))
        return tape.distances(tape.scale(x[0], by: 1), targets: targets, weight: 0.1)
      },
      ranking("ranking, hinge", .hinge), ranking("ranking, log-sum-exp", .lse),
      ranking("ranking, hard negatives", .lse, hard: true),
      ranking("ranking, drawn negatives", .hinge, drawn: true),
    ]
  }

  func check(_ operation: Operation) -> Row {
    row(operation.name, within: tolerance) { backend in
      _ = answers(of: operation, on: backend)
      return answers(of: operation, on: backend)
    }
  }

  /// Returns the result and the gradient of every input.
  ///
  /// Unless the result is a loss, the backward pass starts from its distance to random targets.
  private func answers(of operation: Operation, on backend: any Backend) -> (
    answers: [[Float]], seconds: Double
  ) {
    let store = ParameterStore(backend: backend)
    let inputs = operation.inputs.enumerated().map { number, shape in
      store.add("\(number)", [shape.0, shape.1], .normal(deviation: 0.5))
    }
    store.initialize(seed: 11)
    var answers: [[Float]] = []
    let seconds = seconds(on: backend) {
      let tape = Tape.training(backend, seed: 5, step: 3)
      let out = operation.run(tape, inputs.map(\.tensor))
      answers.append(backend.values(of: out))
      if !operation.isLoss {
        var random = RandomStream(seed: 3, stream: 1)
        let targets = backend.makeTensor(
          (0..<out.count).map { _ in random.uniform() }, rows: out.rows, columns: out.columns)
        _ = tape.distances(tape.scale(out, by: 0.5), targets: targets, weight: 1)
      }
      tape.backward()
    }
    answers += inputs.map { input in input.gradient.map { backend.values(of: $0) } ?? [] }
    return (answers, seconds)
  }

  /// Checks three updates of two parameters with different decays, and the gradient norm.
  ///
  /// The second parameter has no gradient in the first update.
  func check(_ kind: OptimizerKind) -> Row {
    row("optimizer, \(kind.rawValue)", within: tolerance) { backend in
      let store = ParameterStore(backend: backend)
      let parameters = [10, 13].map { store.add("\($0)", [size.rows, $0], .normal(deviation: 0.5)) }
      store.initialize(seed: 2)
      let optimizer = Optimizer(
        kind, store: store, betas: (0.9, 0.98), weightDecay: { $0.shape[1] == 10 ? 0.01 : 0 })
      var norms: [Float] = []
      let seconds = seconds(on: backend) {
        for update in 0..<3 {
          let tape = Tape.training(backend, seed: 1, step: UInt64(update))
          for parameter in parameters.prefix(update + 1) {
            let x = parameter.tensor
            let targets = backend.makeTensor(rows: x.rows, columns: x.columns)
            backend.run(Fill(targets, with: 0.5))
            _ = tape.distances(tape.scale(x, by: 2), targets: targets, weight: 1)
          }
          tape.backward()
          let squares = optimizer.step(learningRate: 0.01, gradientNorm: 3)
          norms.append(Float(backend.numbers(of: [squares])[0].squareRoot()))
        }
      }
      return ([backend.values(of: store.values), norms], seconds)
    }
  }
}
