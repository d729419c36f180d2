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
/// Made on a loading thread; holds no tensors. Everything that can be derived from the sequences is derived here, once.
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

/// Where the rows of packed sequences come from and go to.
struct CrossModalPlan {
  /// Per frame of a sequence: which frame of the batch it is, and its position in the sequence.
  var frameNumbers: [Int]
  var framePositions: Indices
  var tokens: Indices
  var tokenPositions: Indices
  /// Per row of the packed sequences: the frame (counted over all sequences) or −1; the token or −1.
  var fromFrames: Indices
  var fromTokens: Indices
  var segments: Segments
  /// The rows that are frames.
  var frames: RowSelection
  /// The rows that are tokens.
  var tokenRows: RowSelection

  /// - Parameters:
  ///   - sequences: frames first, then text.
  ///   - textPositions: positions the text table has; later tokens share the last that the reference uses (511).
  init(_ sequences: [SubtitleSequence], textPositions: Int) {
    let lastPosition = min(511, textPositions - 1)
    var frameNumbers: [Int] = []
    var framePositions: [Int32] = []
    var tokens: [Int32] = []
    var tokenPositions: [Int32] = []
    var fromFrames: [Int32] = []
    var fromTokens: [Int32] = []
    var frameOutputs: [Int32] = []
    var tokenOutputs: [Int32] = []
    for sequence in sequences {
      for (position, frame) in sequence.frames.enumerated() {
        frameOutputs.append(Int32(fromFrames.count))
        fromFrames.append(Int32(frameNumbers.count))
        fromTokens.append(-1)
        frameNumbers.append(frame)
        framePositions.append(Int32(position))
      }
      for (position, token) in sequence.tokens.enumerated() {
        tokenOutputs.append(Int32(fromFrames.count))
        fromFrames.append(-1)
        fromTokens.append(Int32(tokens.count))
        tokens.append(token)
        tokenPositions.append(Int32(min(position, lastPosition)))
      }
    }
    self.frameNumbers = frameNumbers
    self.framePositions = Indices(framePositions)
    self.tokens = Indices(tokens)
    self.tokenPositions = Indices(tokenPositions)
    self.fromFrames = Indices(fromFrames)
    self.fromTokens = Indices(fromTokens)
    segments = Segments(lengths: sequences.map { $0.frames.count + $0.tokens.count })
    frames = RowSelection(
      rows: Indices(frameOutputs), segments: Segments(lengths: sequences.map(\.frames.count)))
    tokenRows = RowSelection(
      rows: Indices(tokenOutputs), segments: Segments(lengths: sequences.map(\.tokens.count)))
  }
}
