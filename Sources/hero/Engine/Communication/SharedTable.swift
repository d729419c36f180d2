/// The gradient of a large table, of which only rows with a gradient on some rank travel.
///
/// A batch reads a few thousand of fifty thousand words, and their table is a third of all
/// gradients. The forward pass reads it first, so its gradient is complete only at the end of the
/// backward pass. Nothing is left then to hide the exchange.
final class SharedTable {
  private let gradient: Tensor
  private let backend: any Backend
  /// One byte per row: 1 for a row that may have a gradient.
  private let marks: UnsafeMutableBufferPointer<UInt8>
  private let union: PendingCollective
  /// The rows that travel, one below the other; nil while unknown, or if the whole table travels.
  private var packed: (rows: [Int], tensor: Tensor)?

  /// Returns whether a parameter is a table, of words or the like, of which batches read few rows.
  static func isMeant(for parameter: Parameter) -> Bool {
    parameter.shape.count == 2 && parameter.shape[0] >= 256 && parameter.shape[0] > 4 * parameter.shape[1]
  }

  /// Begins to find out which rows have a gradient on any rank.
  /// - Parameters:
  ///   - gradient: complete on this rank.
  ///   - rows: the rows of it that may be nonzero.
  init(_ gradient: Tensor, rows: GradientRows, backend: any Backend, communicator: any Communicator) {
    (self.gradient, self.backend) = (gradient, backend)
    marks = .allocate(capacity: gradient.rows)
    switch rows {
    case .all:
      marks.initialize(repeating: 1)
    case .named(let lists):
      marks.initialize(repeating: 0)
      for row in lists.joined() where row >= 0 { marks[Int(row)] = 1 }
    }
    union = communicator.begin(.union(marks), on: .gradients)
  }

  deinit { marks.deallocate() }

  /// Returns what to sum: the rows of all ranks, or the whole table if they are most of it.
  func rows() -> Tensor {
    union.wait()
    let rows = marks.indices.filter { marks[$0] != 0 }
    guard 2 * rows.count < gradient.rows else { return gradient }
    let tensor = backend.makeTensor(rows: rows.count, columns: gradient.columns)
    backend.run(GatherSum(terms: [(gradient, backend.makeIndices(rows))], out: tensor))
    packed = (rows, tensor)
    return tensor
  }

  /// Copies the sums to their rows.
  func finish() {
    guard let packed else { return }
    var places = [Int32](repeating: -1, count: gradient.rows)
    for (place, row) in packed.rows.enumerated() { places[row] = Int32(place) }
    backend.run(GatherSum(terms: [(packed.tensor, backend.makeIndices(places))], out: gradient))
  }
}
