import Engine

/// One sentence of subtitles with its frames: a sequence of the cross-modal transformer.
public struct SubtitleSequence: Equatable, Sendable {
  /// Frames of the sentence, counted over all videos of the batch.
  public var frames: [Int]
  /// Token ids, the leading special token included.
  public var tokens: [Int32]

  /// - Parameters:
  ///   - frames: rows of the batch's features.
  ///   - tokens: with the leading special token.
  public init(frames: [Int], tokens: [Int32]) {
    self.frames = frames
    self.tokens = tokens
  }
}

/// Several videos, packed: rows of all videos end to end, no padding anywhere.
///
/// Made on a loading thread; holds no tensors. `prepared` puts it into a device's memory.
public struct VideoBatch: Sendable {
  /// [rows, featureWidth], the videos end to end, in runs of whole rows that lie where they were
  /// read.
  public let features: [ArraySlice<Float>]
  /// Numbers per row.
  public let featureWidth: Int
  /// Frames of each video.
  public let lengths: [Int]
  /// The sentences of all videos end to end.
  public let sequences: [SubtitleSequence]
  /// Sentences of each video.
  public let sentenceCounts: [Int]
  /// Rows of `features` that MFM hides: they are zero there and get the mask embedding.
  public let maskedFrames: [Int]
  /// The row of `features` of every frame where videos share rows (one video with several answers);
  /// nil where the frames are the rows.
  public let featureRows: [Int]?
  /// Whether sentences are read without their frames: each frame gets the output of its sentence's
  /// first token. Its own features are zero (VALUE's `sub_only`).
  public let readsTextAlone: Bool

  /// Frames of all videos.
  public var frameCount: Int { lengths.reduce(0, +) }

  /// Rows of `features`.
  var rows: Int { features.reduce(0) { $0 + $1.count } / featureWidth }

  /// - Precondition: each frame is in at most one sequence.
  public init(
    features: [ArraySlice<Float>], featureWidth: Int, lengths: [Int], sequences: [SubtitleSequence],
    sentenceCounts: [Int], maskedFrames: [Int] = [],
    featureRows: [Int]? = nil, readsTextAlone: Bool = false
  ) {
    precondition(sentenceCounts.count == lengths.count && sentenceCounts.reduce(0, +) == sequences.count)
    self.sentenceCounts = sentenceCounts
    self.featureRows = featureRows
    self.readsTextAlone = readsTextAlone
    self.features = features
    self.featureWidth = featureWidth
    self.lengths = lengths
    self.sequences = sequences
    self.maskedFrames = maskedFrames
    precondition(features.allSatisfy { $0.count.isMultiple(of: featureWidth) })
    precondition(featureRows?.count ?? rows == frameCount)
  }
}
