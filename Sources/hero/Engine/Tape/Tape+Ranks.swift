/// Operations across the ranks of a job; all ranks call them in the same order, even one without
/// rows.
extension Tape {
  /// Returns every rank's rows, one rank below the other.
  ///
  /// Each rank then computes something of its own from them, so their gradients are summed over all
  /// ranks.
  /// - Parameter counts: the number of rows of each rank.
  /// - Returns: [Σ counts, columns]
  public func gatherRows(_ x: Tensor, counts: [Int]) -> Tensor {
    guard communicator.size > 1 else { return x }
    let all = gathered(x, counts: counts)
    guard isTraining else { return all }
    let own = ownRows(counts)
    // Every rank takes part in the sum, whether or not it computed anything.
    recordExchange { [unowned self] in
      let gradient = all.gradient ?? backend.makeTensor(rows: all.rows, columns: all.columns)
      if all.gradient == nil { backend.run(Fill(gradient, with: 0)) }
      all.gradient = nil
      communicator.sum(gradient, on: backend)
      accumulateRows(own, of: gradient, to: x)
    }
    return all
  }

  /// Returns every rank's rows, one rank below the other.
  ///
  /// All ranks then compute the same from them, so each has the whole gradient and takes its own
  /// rows.
  /// - Parameter counts: the number of rows of each rank.
  /// - Returns: [Σ counts, columns]
  public func shareRows(_ x: Tensor, counts: [Int]) -> Tensor {
    guard communicator.size > 1 else { return x }
    let all = gathered(x, counts: counts)
    let own = ownRows(counts)
    record(all) { [unowned self] dy in accumulateRows(own, of: dy, to: x) }
    return all
  }

  private func gathered(_ x: Tensor, counts: [Int]) -> Tensor {
    let all = communicator.gatherRows(x, counts: counts, on: backend)
    return Tensor(
      rows: all.rows, columns: all.columns, storage: all.storage, needsGradient: isTraining)
  }

  private func ownRows(_ counts: [Int]) -> Range<Int> {
    let start = counts[..<communicator.rank].reduce(0, +)
    return start..<start + counts[communicator.rank]
  }

  private func accumulateRows(_ rows: Range<Int>, of gradient: Tensor, to x: Tensor) {
    guard !rows.isEmpty, x.needsGradient else { return }
    accumulate(gradient.rowsView(rows), to: x, mayKeep: false)
  }
}
