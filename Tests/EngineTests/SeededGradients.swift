@testable import Engine

extension Tape {
  /// Computes the dot products of pairs that are given on the host.
  func pairDot(_ queries: Tensor, _ x: Tensor, _ pairs: [Range<Int>]) -> Tensor {
    pairDot(
      queries, x, pairs: RowRanges(pairs, on: backend),
      places: Segments(lengths: pairs.map(\.count), on: backend))
  }

  /// Starts the backward pass from gradients of the test's own.
  /// - Parameter loss: from the tensors' values, row by row, their gradients.
  func customLoss(_ inputs: [Tensor], _ loss: ([[Float]]) -> [[Float]]) {
    let gradients = loss(inputs.map { backend.values(of: $0) })
    for (input, gradient) in zip(inputs, gradients) where input.needsGradient {
      recordLoss { [unowned self] in
        let start = makeTensor(like: input)
        gradient.withUnsafeBufferPointer { backend.upload($0, to: start) }
        accumulate(start, to: input, mayKeep: true)
      }
    }
  }
}
