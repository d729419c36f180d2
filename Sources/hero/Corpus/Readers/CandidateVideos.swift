import Formats

/// The videos in which moments are searched, with their numbers in result files
/// (Docs/Computation.md §5).
public struct CandidateVideos: Sendable, Equatable {
  /// The names of the videos, in the order of the list that they come from.
  public let names: [String]
  /// The number of each video in result files.
  public let indices: [Int]
  private let places: [Name: Int]

  /// - Parameter videos: distinct names, each with its number.
  public init(_ videos: [(name: String, index: Int)]) {
    names = videos.map(\.name)
    indices = videos.map(\.index)
    places = Dictionary(zip(names.lazy.map { Name($0) }, names.indices)) { first, _ in first }
  }

  /// The number of candidates.
  public var count: Int { names.count }

  /// Returns the place of a video in `names`, or nil if it is no candidate.
  public func place(of video: String) -> Int? { places[video] }

  /// Returns a clause about a missing video that is a candidate under a similar name, or nil.
  public func hint(missing: [String]) -> String? { SimilarNames.hint(missing: missing, among: names) }

  /// Takes all videos that a `vid2dur_idx.json` lists under `split`, with their numbers in it.
  ///
  /// The file is the one at `list`, or that of the subtitle store. Without a file (DiDeMo, MSR-VTT)
  /// or without subtitles, the candidates are the videos of `queries`. Each is numbered by its
  /// place among the sorted names of the feature store. Videos that the feature store lacks are
  /// skipped.
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
