import Formats

/// A query about one video and the windows that answer it, in QVHighlights' format.
///
///     {"qid": 2579, "query": "…", "vid": "…", "duration": 150, "relevant_windows": [[82, 150]],
///      "relevant_clip_ids": [41, 42], "saliency_scores": [[1, 1, 2], [1, 1, 3]]}
///
/// moment_detr and lighthouse store Charades-STA, ActivityNet Captions and TACoS in the same
/// format, without saliencies.
public struct WindowTruth: Sendable, Equatable {
  /// `qid`
  public var id: QueryID
  /// The windows in seconds, at least one.
  public var windows: [TimeSpan]
  /// The ratings of the clips, if any.
  public var saliency: ClipSaliency?

  /// - Parameters:
  ///   - windows: at least one.
  ///   - saliency: nil if the clips are not rated.
  public init(id: QueryID, windows: [TimeSpan], saliency: ClipSaliency? = nil) {
    self.id = id
    self.windows = windows
    self.saliency = saliency
  }

  /// Returns a notice about rated clips that lie outside of their videos, nil if there are none.
  public static func outside(_ truths: [WindowTruth]) -> String? {
    let odd = truths.filter { ($0.saliency?.outside ?? 0) > 0 }
    guard let first = odd.first else { return nil }
    let count = odd.reduce(0) { $0 + ($1.saliency?.outside ?? 0) }
    return
      "\(count) rated clips of \(odd.count) queries, such as \(first.id), lie outside of their videos "
      + "(\"duration\", \(Int(ClipSaliency.clipLength)) s a clip); their ratings are left out"
  }

  /// Reads one row, or a row of a store of queries: `desc_id`, and `ts` as a moment or a list of
  /// them.
  ///
  /// - Returns: nil if the row has no `relevant_windows` or `ts`: its truth is hidden.
  /// - Throws: `DataError` for a row without `qid`, and for windows or saliencies of another form.
  public init?(json row: JSON) throws {
    let id = try QueryID(in: row, "qid", "desc_id")
    let key = row["relevant_windows"] == nil ? "ts" : "relevant_windows"
    guard let list = row[key], !list.isNull else { return nil }
    let one = key == "ts" ? TimeSpan(list).map { [Optional($0)] } : nil
    let windows = one ?? list.array?.map { TimeSpan($0) }
    guard let windows, !windows.isEmpty, windows.allSatisfy({ $0.map { $0.end >= $0.start } ?? false })
    else {
      throw DataError(
        "\"\(key)\" is \(list.shown), not a list of [start, end]", place: "query \(id)")
    }
    self.init(
      id: id, windows: windows.compactMap { $0 }, saliency: try ClipSaliency(annotation: row, of: id))
  }
}

/// Several annotators' ratings of how well each clip of a video fits a query, from 0 (very bad) to
/// 4 (very good).
public struct ClipSaliency: Sendable, Equatable {
  /// The length of a clip in seconds (QVHighlights).
  public static let clipLength = 2.0
  /// The most clips of a video; more than a day has are a mistake.
  private static let mostClips = 43_200

  /// The ratings: [annotators][clips]; clips that were not rated have 0.
  public var scores: [[Double]]
  /// The number of rated clips outside of the video, which are skipped.
  public private(set) var outside = 0

  /// - Returns: nil if the row has no `saliency_scores`.
  init?(annotation row: JSON, of id: QueryID) throws {
    guard let rated = row["saliency_scores"], !rated.isNull else { return nil }
    func wrong(_ problem: String) -> DataError { DataError(problem, place: "query \(id)") }
    guard let duration = row["duration"]?.double, duration >= 0,
      duration / Self.clipLength <= Double(Self.mostClips)
    else { throw wrong("\"saliency_scores\" needs the video's \"duration\" in seconds") }
    let clips = row["relevant_clip_ids"]?.array?.map(\.whole)
    let ratings = rated.array?.map { $0.array?.map(\.double) }
    guard let clips, let ratings, clips.count == ratings.count else {
      throw wrong("\"saliency_scores\" has not one entry for each of \"relevant_clip_ids\"")
    }
    let annotators = ratings.first.flatMap { $0?.count } ?? 3
    scores = Array(
      repeating: Array(repeating: 0, count: Int(duration / Self.clipLength)), count: annotators)
    for (clip, rating) in zip(clips, ratings) {
      guard let clip else { throw wrong("\"relevant_clip_ids\" holds what is no number") }
      guard scores.first?.indices.contains(clip) ?? false else {
        outside += 1
        continue
      }
      guard let rating, rating.count == annotators, rating.allSatisfy({ $0?.isFinite ?? false }) else {
        throw wrong("the scores of clip \(clip) are not \(annotators) numbers")
      }
      for (annotator, score) in rating.enumerated() { scores[annotator][clip] = score ?? 0 }
    }
  }

  /// Returns whether each annotator rated each clip at least `least`: [annotators][clips].
  func relevant(least: Double) -> [[Bool]] { scores.map { $0.map { $0 >= least } } }
}
