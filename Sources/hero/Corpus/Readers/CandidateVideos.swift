import Formats

/// The videos among which moments are searched, with the numbers that result files know them by
/// (Docs/Computation.md §5).
public struct CandidateVideos: Sendable, Equatable {
  /// In the order in which they are numbered first to last in the list that they come from.
  public let names: [String]
  /// The number of each.
  public let indices: [Int]
  private let places: [Name: Int]

  /// - Parameter videos: names, none twice, and the number of each.
  public init(_ videos: [(name: String, index: Int)]) {
    names = videos.map(\.name)
    indices = videos.map(\.index)
    places = Dictionary(zip(names.lazy.map { Name($0) }, names.indices)) { first, _ in first }
  }

  /// How many candidates there are.
  public var count: Int { names.count }

  /// The place of a video in `names`, or nil if it is no candidate.
  public func place(of video: String) -> Int? { places[video] }

  /// What of some videos that are no candidates is one under a similar name; nil where nothing is.
  public func hint(missing: [String]) -> String? { SimilarNames.hint(missing: missing, among: names) }

  /// All videos that a file `vid2dur_idx.json` lists under `split`, numbered as it says: the one at
  /// `list`, or that of the subtitle store.
  ///
  /// Without that file (DiDeMo, MSR-VTT), or without subtitles: the videos of `queries`, numbered
  /// by their place among the sorted names of the feature store; those that it lacks are no
  /// candidates.
  public init(
    split: String, queries: QueryStore, subtitles: SubtitleStore?, features: FeatureStore, list: String? = nil
  ) throws {
    if let splits = try list.map({ try ListedVideo.splits(path: $0) }) ?? subtitles?.splits {
      guard let listed = splits.first(where: { $0.name == split }) else {
        let names = splits.map(\.name).joined(separator: ", ")
        throw DataError(
          "there is no split \"\(split)\"", file: list ?? subtitles.map { $0.path + "/vid2dur_idx.json" },
          cure: names.isEmpty ? "The file lists none: give another" : "Ask for one of: \(names)")
      }
      self.init(listed.videos.map { ($0.name, $0.index) })
      return
    }
    let numbers = features.sortedNumbers()
    self.init(
      queries.videos.compactMap { video in numbers[video].map { (video, $0) } })
  }
}
