import Foundation

/// The gradient of a large table, of which only rows with a gradient on some rank travel.
///
/// A batch reads some thousand of fifty thousand words, and their table is a third of all
/// gradients. The forward pass reads it first, so its gradient is whole only when the backward pass
/// ends, and nothing is left to hide it behind.
final class SharedTable {
  private let gradient: Tensor
  private let backend: any Backend
  /// One byte a row: whether a rank has anything in it.
  private let marks: UnsafeMutableBufferPointer<UInt8>
  private let union: PendingCollective
  /// Rows that travel, one below the other; nil while unknown, or where the whole table does.
  private var packed: (rows: [Int], tensor: Tensor)?

  /// Whether a parameter is a table of words or the like, of which batches read few rows.
  static func isMeant(for parameter: Parameter) -> Bool {
    parameter.shape.count == 2 && parameter.shape[0] >= 256 && parameter.shape[0] > 4 * parameter.shape[1]
  }

  /// Begins to ask which rows there are.
  /// - Parameter gradient: whole on this rank, in the host's memory.
  init(_ gradient: Tensor, backend: any Backend, communicator: any Communicator) {
    (self.gradient, self.backend) = (gradient, backend)
    marks = .allocate(capacity: gradient.rows)
    let zeros = [Float](repeating: 0, count: gradient.columns)
    for row in 0..<gradient.rows {
      let own = gradient.pointer + row * gradient.columns
      let isEmpty = memcmp(own, zeros, gradient.columns * MemoryLayout<Float>.stride) == 0
      marks.initializeElement(at: row, to: isEmpty ? 0 : 1)
    }
    union = communicator.begin(.union(marks), on: .gradients)
  }

  deinit { marks.deallocate() }

  /// What has to be added up: the rows of all ranks, or the whole table where they are most of it.
  func rows() -> Tensor {
    union.wait()
    let rows = marks.indices.filter { marks[$0] != 0 }
    guard 2 * rows.count < gradient.rows else { return gradient }
    let tensor = backend.makeTensor(rows: rows.count, columns: gradient.columns)
    for (place, row) in rows.enumerated() {
      (tensor.pointer + place * gradient.columns).update(
        from: gradient.pointer + row * gradient.columns, count: gradient.columns)
    }
    packed = (rows, tensor)
    return tensor
  }

  /// Puts the sums into their places.
  func finish() {
    guard let packed else { return }
    for (place, row) in packed.rows.enumerated() {
      (gradient.pointer + row * gradient.columns).update(
        from: packed.tensor.pointer + place * gradient.columns, count: gradient.columns)
    }
  }
}
