import Engine

/// The uses of a run's random numbers, beside dropout (which the tape numbers) and initial weights
/// (numbered by the parameter's place). Each has a stream of its own, so two never share numbers.
///
/// All ranks draw the same, except for dropout, which each draws under a seed of its own
/// (`RandomStream.seed(_:of:)`).
public enum RandomUse: UInt32, Sendable {
  /// The order of an epoch's blocks, by epoch, and of the items of a stretch of blocks, by stretch.
  case blockOrder = 0x5F0E
  case stretchOrder = 0x5F0F
  /// Masks and samples of an item, by its place among all that the run visits.
  case batch = 0x17E5
  /// Which source an update of pre-training draws from, by update.
  case mixture = 0x313C
  /// Draws in a loss (negatives, dropped parts), by update.
  case loss = 0x1055
  /// Masks of a validation, by the item; draws in its losses, by the batch's first item.
  case validationBatch = 0x7A11
  case validationLoss = 0x7A12
}

extension RandomStream {
  /// The stream of one use.
  public init(seed: UInt64, step: UInt64, for use: RandomUse) {
    self.init(seed: seed, step: step, stream: use.rawValue)
  }
}
