import Engine

/// The uses of a run's random numbers, each with its own stream, so two never share numbers.
///
/// Two uses have no case here: dropout, which the tape numbers, and initial weights, numbered by
/// the parameter's place. All ranks draw the same numbers, except for dropout: there each rank has
/// its own seed (`RandomStream.seed(_:of:)`).
public enum RandomUse: UInt32, Sendable {
  /// The order of an epoch's blocks, by epoch, and of a stretch's items, by stretch.
  case blockOrder = 0x5F0E
  case stretchOrder = 0x5F0F
  /// The masks and samples of an item, by its place among all items that the run visits.
  case batch = 0x17E5
  /// The source that an update of pre-training draws, by update.
  case mixture = 0x313C
  /// The draws in a loss (negatives, dropped parts), by update.
  case loss = 0x1055
  /// The masks of a validation, by item, and the draws in its losses, by the batch's first item.
  case validationBatch = 0x7A11
  case validationLoss = 0x7A12
}

extension RandomStream {
  /// Makes the stream of one use.
  public init(seed: UInt64, step: UInt64, for use: RandomUse) {
    self.init(seed: seed, step: step, stream: use.rawValue)
  }
}
