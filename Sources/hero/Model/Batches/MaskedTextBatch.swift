import Engine

/// Sentences with some words hidden, each with its own frames (Docs/Computation.md §3 "MLM").
public struct MaskedTextBatch: Sendable {
  /// The feature rows of all sentences, in slices of whole rows that stay where they were read.
  public var features: [ArraySlice<Float>]
  /// The number of elements of a row of ``features``.
  public var featureWidth: Int
  /// The sentences' frames (rows of `features`) and ids, some of them masked.
  public var sequences: [SubtitleSequence]
  /// The masked tokens, counted over all tokens of all sequences.
  public var masked: [Int]
  /// The original words at ``masked``.
  public var targets: [Int32]

  /// - Precondition: There are as many masked places as targets.
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

/// A ``MaskedTextBatch`` in a device's memory.
public struct MaskedTextInput: @unchecked Sendable {
  /// The feature rows, [rows, featureWidth]; it never changes, so threads may share it.
  let features: Tensor
  let plan: CrossModalPlan
  let frameRows: Indices
  /// The rows of the masked words; the last layer computes only them.
  package let masked: RowSelection
  /// The original words, in the order of the masked rows.
  public let targets: Indices
}

extension MaskedTextBatch {
  /// Copies the batch into a device's memory, on a loading thread.
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
