/// The target of a search, under the reference's name.
public enum Ranking: String, Sendable, CaseIterable {
  /// Video corpus moment retrieval: the video and the moment in it.
  case videoCorpusMoment = "VCMR"
  /// Single video moment retrieval: the moment in the given video.
  case singleVideoMoment = "SVMR"
  /// Video retrieval: the video.
  case video = "VR"

  /// Whether an answer is a moment rather than a whole video.
  public var findsMoments: Bool { self != .video }
}
