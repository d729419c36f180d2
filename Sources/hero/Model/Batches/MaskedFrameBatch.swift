import Engine

/// Videos with some frames hidden.
public struct MaskedFrameBatch: Sendable {
  /// The hidden frames are zero, and are the `maskedFrames`.
  public var videos: VideoBatch
  /// What the hidden frames were, end to end.
  public var targets: [Float]

  /// - Precondition: `targets` has `featureWidth` numbers for each masked frame.
  public init(videos: VideoBatch, targets: [Float]) {
    precondition(targets.count == videos.maskedFrames.count * videos.featureWidth)
    self.videos = videos
    self.targets = targets
  }

  /// Hides some frames of videos, counted over all of them.
  public init(hiding frames: [Int], of videos: VideoBatch) {
    let width = videos.featureWidth
    var features = videos.features
    var targets: [Float] = []
    for frame in frames {
      let row = frame * width..<(frame + 1) * width
      targets += features[row]
      features.replaceSubrange(row, with: repeatElement(0, count: width))
    }
    self.init(
      videos: VideoBatch(
        features: features, featureWidth: width, lengths: videos.lengths, sequences: videos.sequences,
        sentenceCounts: videos.sentenceCounts, maskedFrames: frames),
      targets: targets)
  }
}

/// Videos with some frames hidden, in a device's memory.
public struct MaskedFrameInput: @unchecked Sendable {
  package let videos: VideoInput
  /// The hidden frames, and all others.
  package let hidden: Indices
  package let others: Indices
  /// What the hidden frames were: [hidden, featureWidth]. It never changes, so threads may share
  /// it.
  package let targets: Tensor
  /// Where the rows of targets above predictions of others come from, −1 for neither.
  package let fromTargets: Indices
  package let fromOthers: Indices
  /// Each hidden frame's own row among the targets.
  package let own: Indices
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
