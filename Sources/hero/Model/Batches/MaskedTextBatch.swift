import Engine

/// Sentences with some words hidden, each with its own frames (Docs/Computation.md §3 "MLM").
public struct MaskedTextBatch: Sendable {
  /// Feature rows of all sentences end to end, in runs of whole rows that lie where they were read.
  public var features: [ArraySlice<Float>]
  /// Numbers per row of ``features``.
  public var featureWidth: Int
  /// Frames (rows of `features`) and ids, some of them masked.
  public var sequences: [SubtitleSequence]
  /// The masked tokens, counted over all tokens of all sequences, and the words that stood there.
  public var masked: [Int]
  /// The words that stood at ``masked``.
  public var targets: [Int32]

  /// - Precondition: as many masked places as targets.
  public init(
    features: [ArraySlice<Float>], featureWidth: Int, sequences: [SubtitleSequence], masked: [Int],
    targets: [Int32]
  ) {
    precondition(masked.count == targets.count)
    self.features = features
    self.featureWidth = featureWidth
    self.sequences = sequences
    self.masked = masked
    self.targets = targets
  }
}

/// The same in a device's memory.
public struct MaskedTextInput: @unchecked Sendable {
  /// [rows, featureWidth]. It never changes, so threads may share it.
  let features: Tensor
  let plan: CrossModalPlan
  let frameRows: Indices
  /// The rows of the masked words: the last layer computes only them.
  package let masked: RowSelection
  /// The words that were masked, in the order of the masked rows.
  public let targets: Indices
}

extension MaskedTextBatch {
  /// Puts the batch into a device's memory. Loading threads do it.
  public func prepared(for model: ModelConfiguration, on backend: any Backend) -> MaskedTextInput {
    let plan = CrossModalPlan(sequences, textPositions: model.cross.positions, on: backend)
    var counts = [Int](repeating: 0, count: sequences.count)
    var sequence = 0
    for token in masked {
      while token >= plan.tokenSegments[sequence].upperBound { sequence += 1 }
      counts[sequence] += 1
    }
    let rows = features.reduce(0) { $0 + $1.count } / featureWidth
    return MaskedTextInput(
      features: backend.makeTensor(runs: features, rows: rows, columns: featureWidth),
      plan: plan, frameRows: backend.makeIndices(plan.frameNumbers),
      masked: RowSelection(
        rows: backend.makeIndices(masked.map { plan.tokenRows[$0] }),
        segments: Segments(lengths: counts, on: backend)),
      targets: backend.makeIndices(targets))
  }
}
