import Engine
import Model

/// Videos with some frames hidden, in a device's memory.
public struct MaskedFrameInput: @unchecked Sendable {
  let videos: VideoInput
  /// The hidden frames, and all others.
  let hidden: Indices
  let others: Indices
  /// What the hidden frames were: [hidden, featureWidth]; nobody changes it, so threads may hand it on.
  let targets: Tensor
  /// Where the rows of targets above predictions of others come from, −1 for neither.
  let fromTargets: Indices
  let fromOthers: Indices
  /// Each hidden frame's own row among the targets.
  let own: Indices
}

/// Videos with some frames moved after fusion, in a device's memory.
public struct FrameOrderInput: Sendable {
  let videos: VideoInput
  /// Per place the frame that went there.
  let source: Indices
  /// The places that frames went to, and the places that they came from.
  let places: Indices
  let targets: Indices
}

/// A batch of one objective in a device's memory.
public enum PretrainingInput: Sendable {
  case maskedWords(MaskedTextInput)
  case maskedFrames(MaskedFrameInput)
  case frameOrder(FrameOrderInput)
  case moments(RetrievalInput)

  /// What the objective's loss is a mean over, and what of it other ranks must know.
  var counts: [Int] {
    switch self {
    case .maskedWords(let words): [words.targets.count]
    case .maskedFrames(let frames): [frames.hidden.count, frames.others.count]
    case .frameOrder(let order): [order.targets.count]
    case .moments(let moments): moments.counts
    }
  }
}

/// A batch in a device's memory, and whose it is.
public struct PretrainingMixedInput: Sendable {
  let source: Int
  let content: PretrainingInput?
}

extension MaskedFrameBatch {
  /// Puts the batch into a device's memory. Loading threads do it.
  public func prepared(for model: ModelConfiguration, on backend: any Backend) -> MaskedFrameInput {
    let hidden = videos.maskedFrames.sorted()
    let isHidden = Set(hidden)
    let others = (0..<videos.frameCount).filter { !isHidden.contains($0) }
    return MaskedFrameInput(
      videos: videos.prepared(for: model, on: backend), hidden: backend.makeIndices(hidden),
      others: backend.makeIndices(others),
      targets: backend.makeTensor(targets, rows: hidden.count, columns: videos.featureWidth),
      fromTargets: backend.makeIndices(Array(hidden.indices) + others.map { _ in -1 }),
      fromOthers: backend.makeIndices(hidden.map { _ in -1 } + Array(others.indices)),
      own: backend.makeIndices(hidden.indices))
  }
}

extension FrameOrderBatch {
  /// Puts the batch into a device's memory. Loading threads do it.
  public func prepared(for model: ModelConfiguration, on backend: any Backend) -> FrameOrderInput {
    var source = [Int32](repeating: -1, count: order.count)
    for (frame, place) in order.enumerated() { source[place] = Int32(frame) }
    return FrameOrderInput(
      videos: videos.prepared(for: model, on: backend), source: backend.makeIndices(source),
      places: backend.makeIndices(places), targets: backend.makeIndices(targets))
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
