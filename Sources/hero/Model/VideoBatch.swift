import Engine

/// One sentence of subtitles with its frames: a sequence of the cross-modal transformer.
public struct SubtitleSequence: Equatable, Sendable {
  /// Frames of the sentence, counted over all videos of the batch.
  public var frames: [Int]
  /// Token ids, the leading special token included.
  public var tokens: [Int32]

  public init(frames: [Int], tokens: [Int32]) {
    self.frames = frames
    self.tokens = tokens
  }
}

/// Several videos, packed: rows of all videos end to end, no padding anywhere.
///
/// Made on a loading thread; holds no tensors. `prepared` puts it into a device's memory.
public struct VideoBatch: Sendable {
  /// [rows, featureWidth], the videos end to end.
  public let features: [Float]
  public let featureWidth: Int
  /// Frames of each video.
  public let lengths: [Int]
  public let sequences: [SubtitleSequence]
  /// Rows of `features` that MFM hides: they are zero there and get the mask embedding.
  public let maskedFrames: [Int]
  /// The row of `features` of every frame where videos share rows (one video with several answers); nil where the
  /// frames are the rows.
  public let featureRows: [Int]?

  public var frameCount: Int { lengths.reduce(0, +) }

  /// - Precondition: each frame is in at most one sequence.
  public init(
    features: [Float], featureWidth: Int, lengths: [Int], sequences: [SubtitleSequence],
    maskedFrames: [Int] = [],
    featureRows: [Int]? = nil
  ) {
    precondition(featureRows?.count ?? (features.count / featureWidth) == lengths.reduce(0, +))
    self.featureRows = featureRows
    self.features = features
    self.featureWidth = featureWidth
    self.lengths = lengths
    self.sequences = sequences
    self.maskedFrames = maskedFrames
  }
}
