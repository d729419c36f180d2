/// What is searched for, by the reference's names.
public enum Ranking: String, Sendable, CaseIterable {
  /// Video corpus moment retrieval: the video and the moment in it.
  case videoCorpusMoment = "VCMR"
  /// Single video moment retrieval: the moment in the given video.
  case singleVideoMoment = "SVMR"
  /// Video retrieval: the video.
  case video = "VR"

  /// Whether an answer is a moment, and not a video as a whole.
  public var findsMoments: Bool { self != .video }
}
