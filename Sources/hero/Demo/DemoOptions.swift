import Formats

/// The size of a demo corpus, and its seed.
public struct DemoOptions: Equatable, Sendable {
  /// The seed; the same options give the same files, byte for byte.
  public var seed: UInt64 = 0
  /// The number of videos in the training split.
  public var trainVideos = 800
  /// The number of videos in the validation split.
  public var valVideos = 80
  /// The number of videos in the test split.
  public var testVideos = 80
  /// The number of queries, of questions and of statement pairs of each video.
  public var queriesPerVideo = 5
  /// The range of the number of frames of a video.
  public var frames = 16...30
  /// The number of seconds that a frame stands for.
  public var frameInterval = 1.5
  /// The width of the 2D features, which tell the colours of people, objects and places.
  public var appearanceWidth = 96
  /// The width of the 3D features, which tell how something moves.
  public var motionWidth = 96
  /// The standard deviation of the noise in every feature; a colour adds up to about 0.6.
  public var noise: Float = 0.5
  /// The most merges that the tokenizer learns.
  public var merges = 800

  /// Creates options for 800 training, 80 validation and 80 test videos.
  public init() {}

  /// Returns the number of videos in a split.
  public func videos(in split: DemoSplit) -> Int {
    switch split {
    case .train: trainVideos
    case .val: valVideos
    case .test: testVideos
    }
  }

  /// Throws a `DataError` that names the option if the corpus cannot be made.
  func validate() throws {
    func check(_ holds: Bool, _ problem: String) throws {
      guard holds else { throw DataError(problem, cure: "Choose another value for the demo corpus") }
    }
    try check(
      DemoSplit.allCases.allSatisfy { (1...100_000).contains(videos(in: $0)) },
      "every split needs between 1 and 100000 videos")
    try check((1...20).contains(queriesPerVideo), "queries per video must be between 1 and 20")
    try check(
      frames.lowerBound >= 10 && frames.upperBound <= 100, "videos must have between 10 and 100 frames")
    try check(frameInterval >= 0.5 && frameInterval <= 10, "a frame must stand for 0.5 to 10 seconds")
    try check(
      (8...4096).contains(appearanceWidth) && (8...4096).contains(motionWidth),
      "features must be between 8 and 4096 wide")
    try check(noise >= 0 && noise <= 10, "noise must be between 0 and 10")
    try check((0...100_000).contains(merges), "the number of merges must be between 0 and 100000")
  }
}
