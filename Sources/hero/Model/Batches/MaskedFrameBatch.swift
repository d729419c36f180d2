import Engine

/// Videos with some frames hidden.
public struct MaskedFrameBatch: Sendable {
  /// The videos, in which the hidden frames (`maskedFrames`) are zero.
  public var videos: VideoBatch
  /// The original feature of each hidden frame.
  public var targets: [ArraySlice<Float>]

  /// - Precondition: `targets` has `featureWidth` numbers for each masked frame.
  public init(videos: VideoBatch, targets: [ArraySlice<Float>]) {
    precondition(targets.count == videos.maskedFrames.count)
    precondition(targets.allSatisfy { $0.count == videos.featureWidth })
    self.videos = videos
    self.targets = targets
  }

  /// Hides frames of videos, given in ascending order and counted over all videos.
  public init(hiding frames: [Int], of videos: VideoBatch) {
    let width = videos.featureWidth
    let zeros = [Float](repeating: 0, count: width)[...]
    var (features, targets): ([ArraySlice<Float>], [ArraySlice<Float>]) = ([], [])
    var (first, next) = (0, 0)
    for run in videos.features {
      let rows = run.count / width
      var shown = run.startIndex
      while next < frames.count, frames[next] < first + rows {
        let start = run.startIndex + (frames[next] - first) * width
        if shown < start { features.append(run[shown..<start]) }
        shown = start + width
        features.append(zeros)
        targets.append(run[start..<shown])
        next += 1
      }
      if shown < run.endIndex { features.append(run[shown...]) }
      first += rows
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
  /// The hidden frames, and all other frames.
  package let hidden: Indices
  package let others: Indices
  /// The hidden frames' features, [hidden, featureWidth]; it never changes, so threads may share
  /// it.
  package let targets: Tensor
  /// The sources of the rows that stack targets above predictions of others; −1 for the other part.
  package let fromTargets: Indices
  package let fromOthers: Indices
  /// Each hidden frame's row among the targets.
  package let own: Indices
}

extension MaskedFrameBatch {
  /// Copies the batch into a device's memory, on a loading thread.
  public func prepared(for model: ModelConfiguration, on backend: any Backend) -> MaskedFrameInput {
    let hidden = videos.maskedFrames.sorted()
    let isHidden = Set(hidden)
    let others = (0..<videos.frameCount).filter { !isHidden.contains($0) }
    return MaskedFrameInput(
      videos: videos.prepared(for: model, on: backend), hidden: backend.makeIndices(hidden),
      others: backend.makeIndices(others),
      targets: backend.makeTensor(runs: targets, rows: hidden.count, columns: videos.featureWidth),
      fromTargets: backend.makeIndices(Array(hidden.indices) + others.map { _ in -1 }),
      fromOthers: backend.makeIndices(hidden.map { _ in -1 } + Array(others.indices)),
      own: backend.makeIndices(hidden.indices))
  }
}
