import Engine

/// One sentence of subtitles with its frames, as a sequence of the cross-modal transformer.
public struct SubtitleSequence: Equatable, Sendable {
  /// The frames of the sentence, counted over all videos of the batch.
  public var frames: [Int]
  /// The token ids, with the leading special token.
  public var tokens: [Int32]

  /// - Parameters:
  ///   - frames: rows of the batch's features.
  ///   - tokens: the token ids, with the leading special token.
  public init(frames: [Int], tokens: [Int32]) {
    self.frames = frames
    self.tokens = tokens
  }
}

/// Several videos, packed: the rows of all videos one after the other, without padding.
///
/// Loading threads make it. It holds no tensors; `prepared` copies it into a device's memory.
public struct VideoBatch: Sendable {
  /// The videos' rows, [rows, featureWidth], in slices of whole rows that stay where they were
  /// read.
  public let features: [ArraySlice<Float>]
  /// The number of elements of a row.
  public let featureWidth: Int
  /// The number of frames of each video.
  public let lengths: [Int]
  /// The sentences of all videos, one video after the other.
  public let sequences: [SubtitleSequence]
  /// The number of sentences of each video.
  public let sentenceCounts: [Int]
  /// The rows of `features` that MFM hides: they are zero and get the mask embedding.
  public let maskedFrames: [Int]
  /// The row of `features` of every frame, where videos share rows (a video with several answers).
  ///
  /// nil where frames and rows are the same.
  public let featureRows: [Int]?
  /// Whether sentences are read without their frames (VALUE's `sub_only`).
  ///
  /// Each frame then gets the output of its sentence's first token. Its own features are zero.
  public let readsTextAlone: Bool

  /// The number of frames of all videos.
  public var frameCount: Int { lengths.reduce(0, +) }

  /// The number of rows of `features`.
  var rows: Int { features.reduce(0) { $0 + $1.count } / featureWidth }

  /// - Precondition: Each frame is in at most one sequence.
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
