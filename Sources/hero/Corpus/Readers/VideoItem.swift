/// A video as the model reads it: its frames and, for each kept sentence, its frames and text.
/// Nothing is padded.
public struct VideoItem: Sendable, Equatable {
  /// As the stores name it; identity is by bytes.
  public let name: String
  /// Frames, at most `max_clip_len`.
  public let frameCount: Int
  /// Numbers per frame, 4,352 for the reference's features.
  public let featureWidth: Int
  /// [frameCount, featureWidth], row-major.
  public let features: [Float]
  /// The sentences that are left of the walk over the subtitles, in order.
  public let subtitles: [VideoSubtitle]
  /// Token ids of every sentence of the video, kept or not, without special tokens; empty for video
  /// alone.
  public let sentences: [[Int32]]
  /// Whether sentences are read without their frames, whose features are zero.
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
  /// Its place in `VideoItem.sentences`; 0 for video alone.
  public let index: Int
  /// Its frames, counted from the video's start, each less than `frameCount`; possibly none.
  public let frames: [Int]
  /// `[SEP]`, or `[CLS]` where there is one channel, then the sentence's ids after those of the
  /// sentences before it that are its context.
  public let tokens: [Int32]

  /// - Parameters:
  ///   - frames: those of the video that go with the sentence.
  ///   - tokens: with the leading special token.
  public init(index: Int, frames: [Int], tokens: [Int32]) {
    self.index = index
    self.frames = frames
    self.tokens = tokens
  }
}
