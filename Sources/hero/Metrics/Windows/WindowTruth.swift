import Formats

/// A query about one video and the windows that answer it, as QVHighlights writes them.
///
///     {"qid": 2579, "query": "…", "vid": "…", "duration": 150, "relevant_windows": [[82, 150]],
///      "relevant_clip_ids": [41, 42], "saliency_scores": [[1, 1, 2], [1, 1, 3]]}
///
/// moment_detr and lighthouse keep Charades-STA, ActivityNet Captions and TACoS in the same form, without saliencies.
public struct WindowTruth: Sendable, Equatable {
  public var id: QueryID
  /// In seconds; at least one.
  public var windows: [TimeSpan]
  /// Nil where nobody rated the clips.
  public var saliency: ClipSaliency?

  public init(id: QueryID, windows: [TimeSpan], saliency: ClipSaliency? = nil) {
    self.id = id
    self.windows = windows
    self.saliency = saliency
  }

  /// Reads one row.
  ///
  /// - Returns: nil where the row has no `relevant_windows`: the truth is hidden.
  /// - Throws: `DataError` for a row without `qid`, and for windows or saliencies of another form.
  public init?(json row: JSON) throws {
    let id = try QueryID(in: row, "qid")
    guard let list = row["relevant_windows"], !list.isNull else { return nil }
    let windows = list.array?.map { TimeSpan($0) }
    guard let windows, !windows.isEmpty, windows.allSatisfy({ $0.map { $0.end >= $0.start } ?? false })
    else {
      throw DataError(
        "\"relevant_windows\" is \(list.encoded().prefix(80)), not a list of [start, end]",
        place: "query \(id)")
    }
    self.init(
      id: id, windows: windows.compactMap { $0 }, saliency: try ClipSaliency(annotation: row, of: id))
  }
}

/// How well each clip of a video fits a query, by several annotators, from 0 (very bad) to 4 (very good).
public struct ClipSaliency: Sendable, Equatable {
  /// Seconds a clip (QVHighlights).
  static let clipLength = 2.0
  /// More clips than a day has are a mistake.
  private static let mostClips = 43_200

  /// [annotators][clips]; clips that were not rated have 0.
  public var scores: [[Double]]

  /// - Returns: nil where the row has no `saliency_scores`.
  init?(annotation row: JSON, of id: QueryID) throws {
    guard let rated = row["saliency_scores"], !rated.isNull else { return nil }
    func wrong(_ problem: String) -> DataError { DataError(problem, place: "query \(id)") }
    guard let duration = row["duration"]?.double, duration >= 0,
      duration / Self.clipLength <= Double(Self.mostClips)
    else { throw wrong("\"saliency_scores\" needs the video's \"duration\" in seconds") }
    let clips = row["relevant_clip_ids"]?.array?.map(\.int)
    let ratings = rated.array?.map { $0.array?.map(\.double) }
    guard let clips, let ratings, clips.count == ratings.count else {
      throw wrong("\"saliency_scores\" has not one entry for each of \"relevant_clip_ids\"")
    }
    let annotators = ratings.first.flatMap { $0?.count } ?? 3
    scores = Array(
      repeating: Array(repeating: 0, count: Int(duration / Self.clipLength)), count: annotators)
    for (clip, rating) in zip(clips, ratings) {
      guard let clip, scores.first?.indices.contains(clip) ?? false else {
        throw wrong("clip \(clip.map(String.init) ?? "null") lies outside of the video of \(duration) s")
      }
      guard let rating, rating.count == annotators, !rating.contains(nil) else {
        throw wrong("the scores of clip \(clip) are not \(annotators) numbers")
      }
      for (annotator, score) in rating.enumerated() { scores[annotator][clip] = score ?? 0 }
    }
  }

  /// Where each annotator gave at least `least`: [annotators][clips].
  func relevant(least: Double) -> [[Bool]] { scores.map { $0.map { $0 >= least } } }
}

/// What a model answers to one query, in QVHighlights' submission form:
///
///     {"qid": 2579, "vid": "…", "pred_relevant_windows": [[0, 70, 0.9986]], "pred_saliency_scores": [-0.24]}
public struct WindowPredictions: Sendable, Equatable {
  public struct Window: Sendable, Equatable {
    public var span: TimeSpan
    public var score: Double
  }

  public var id: QueryID
  /// The best first, as the file has them.
  public var windows: [Window]
  /// A score for each clip of 2 s; nil where the model gives none.
  public var saliency: [Double]?

  /// Reads one row. Windows without a score rank by their place.
  ///
  /// - Throws: `DataError` for a row without `qid`, and for windows or scores of another form.
  public init(json row: JSON) throws {
    let id = try QueryID(in: row, "qid")
    self.id = id
    let list = row["pred_relevant_windows"] ?? .null
    windows = try (list.isNull ? [] : list.array ?? [list]).enumerated().map { place, window in
      let numbers = window.array?.map(\.double) ?? []
      let times = numbers.prefix(2).compactMap { $0 }
      guard (2...3).contains(numbers.count), times.count == 2, times.allSatisfy(TimeSpan.isTime),
        let score = numbers.count == 3 ? numbers[2] : -Double(place), score.isFinite
      else {
        throw DataError(
          "a window is \(window.encoded().prefix(80)), not [start, end, score]", place: "query \(id)")
      }
      return Window(span: TimeSpan(start: times[0], end: times[1]), score: score)
    }
    guard let scores = row["pred_saliency_scores"], !scores.isNull else { return }
    let numbers = scores.array?.compactMap(\.double)
    guard let numbers, numbers.count == scores.array?.count, !numbers.isEmpty,
      numbers.allSatisfy(\.isFinite)
    else { throw DataError("\"pred_saliency_scores\" is no list of numbers", place: "query \(id)") }
    saliency = numbers
  }
}
