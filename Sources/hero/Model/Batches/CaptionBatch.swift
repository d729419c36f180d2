import Engine

/// Clips of videos and the captions that describe them.
public struct CaptionBatch: Sendable {
  /// The videos, each once however many of its clips are described.
  public var videos: VideoBatch
  /// Each caption's clip: its video, and its frames within that video.
  public var clips: [(video: Int, frames: Range<Int>)]
  /// The token ids of each caption, with the leading `BOS`; the targets are the same shifted by
  /// one.
  public var inputs: [[Int32]]
  /// The token ids of each caption, with the closing `EOS`.
  public var targets: [[Int32]]

  /// - Precondition: Each caption has a clip, and as many input as target tokens.
  public init(
    videos: VideoBatch, clips: [(video: Int, frames: Range<Int>)], inputs: [[Int32]], targets: [[Int32]]
  ) {
    precondition(clips.count == inputs.count && zip(inputs, targets).allSatisfy { $0.count == $1.count })
    self.videos = videos
    self.clips = clips
    self.inputs = inputs
    self.targets = targets
  }
}

/// Clips of encoded videos in a device's memory.
public struct ClipInput: Sendable {
  package let videos: VideoInput
  /// The rows of the clips' frames, clip after clip.
  let rows: Indices
  /// The frames of each clip.
  public let clips: Segments

  /// Copies clips into a device's memory; ``rows`` are rows of the encoded videos.
  public init(
    _ videos: VideoBatch, clips: [(video: Int, frames: Range<Int>)], for model: ModelConfiguration,
    on backend: any Backend
  ) {
    let input = videos.prepared(for: model, on: backend)
    self.videos = input
    rows = backend.makeIndices(
      clips.flatMap { clip in clip.frames.map { Int32(input.segments[clip.video].lowerBound + $0) } })
    self.clips = Segments(lengths: clips.map(\.frames.count), on: backend)
  }
}

/// Clips and captions in a device's memory.
public struct CaptionInput: Sendable {
  let clips: ClipInput
  /// The input tokens, and their positions.
  let tokens: Indices
  package let places: Indices
  /// The tokens of each caption.
  let captions: Segments
  /// The next words, caption after caption.
  public let targets: Indices
}

extension CaptionBatch {
  /// Copies the batch into a device's memory, on a loading thread.
  public func prepared(for model: ModelConfiguration, on backend: any Backend) -> CaptionInput {
    let captions = Segments(lengths: inputs.map(\.count), on: backend)
    return CaptionInput(
      clips: ClipInput(videos, clips: clips, for: model, on: backend),
      tokens: backend.makeIndices(inputs.flatMap { $0 }), places: rowPositions(captions, on: backend),
      captions: captions, targets: backend.makeIndices(targets.flatMap { $0 }))
  }
}
