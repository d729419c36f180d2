import Engine

/// A batch of one objective.
public enum PretrainingBatch: Sendable {
  case maskedWords(MaskedTextBatch)
  case maskedFrames(MaskedFrameBatch)
  case frameOrder(FrameOrderBatch)
  case moments(RetrievalBatch)
}

/// A batch of one objective in a device's memory.
public enum PretrainingInput: Sendable {
  case maskedWords(MaskedTextInput)
  case maskedFrames(MaskedFrameInput)
  case frameOrder(FrameOrderInput)
  case moments(RetrievalInput)

  /// What the objective's loss is a mean over, and what of it other ranks must know.
  package var counts: [Int] {
    switch self {
    case .maskedWords(let words): [words.targets.count]
    case .maskedFrames(let frames): [frames.hidden.count, frames.others.count]
    case .frameOrder(let order): [order.targets.count]
    case .moments(let moments): moments.counts
    }
  }
}

extension PretrainingBatch {
  /// Puts the batch into a device's memory. Loading threads do it.
  public func prepared(for model: ModelConfiguration, on backend: any Backend) -> PretrainingInput {
    switch self {
    case .maskedWords(let batch): .maskedWords(batch.prepared(for: model, on: backend))
    case .maskedFrames(let batch): .maskedFrames(batch.prepared(for: model, on: backend))
    case .frameOrder(let batch): .frameOrder(batch.prepared(for: model, on: backend))
    case .moments(let batch): .moments(batch.prepared(for: model, on: backend))
    }
  }
}
