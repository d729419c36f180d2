/// A video as the model reads it: its frames, and the frames and text of each kept sentence.
///
/// Nothing is padded.
public struct VideoItem: Sendable, Equatable {
  /// The video's name in the stores; names are compared by bytes.
  public let name: String
  /// The number of frames, at most `max_clip_len`.
  public let frameCount: Int
  /// The number of features per frame, 4,352 for the reference's features.
  public let featureWidth: Int
  /// The features, [frameCount, featureWidth], row-major.
  public let features: [Float]
  /// The sentences that the walk over the subtitles keeps, in order.
  public let subtitles: [VideoSubtitle]
  /// The token ids of every sentence, kept or not, without special tokens; empty for video alone.
  public let sentences: [[Int32]]
  /// Whether sentences are read without their frames, whose features are then zero.
  public let isTextAlone: Bool

  /// - Parameters:
  ///   - features: [frameCount, featureWidth], row-major.
  ///   - subtitles: the kept sentences, in order.
  ///   - sentences: token ids of every sentence.
  ///   - isTextAlone: whether sentences are read without their frames.
  public init(
    name: String, frameCount: Int, featureWidth: Int, features: [Float], subtitles: [VideoSubtitle],
    sentences: [[Int32]], isTextAlone: Bool = false
  ) {
    self.name = name
    self.frameCount = frameCount
    self.featureWidth = featureWidth
    self.features = features
    self.subtitles = subtitles
    self.sentences = sentences
    self.isTextAlone = isTextAlone
  }
}

/// A sentence of a video's subtitles: one sequence of the cross-modal transformer.
public struct VideoSubtitle: Sendable, Equatable {
  /// The sentence's place in `VideoItem.sentences`; 0 for video alone.
  public let index: Int
  /// The sentence's frames, counted from the video's start, each less than `frameCount`; possibly
  /// none.
  public let frames: [Int]
  /// `[SEP]`, or `[CLS]` with one channel, then the ids of the context sentences and of this
  /// sentence.
  public let tokens: [Int32]

  /// - Parameters:
  ///   - frames: the video's frames that belong to the sentence.
  ///   - tokens: the ids with the leading special token.
  public init(index: Int, frames: [Int], tokens: [Int32]) {
    self.index = index
    self.frames = frames
    self.tokens = tokens
  }
}
