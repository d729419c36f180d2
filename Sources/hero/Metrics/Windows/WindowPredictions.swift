import Formats

/// A model's answer to one query, in QVHighlights' submission format:
///
///     {"qid": 2579, "query": "…", "vid": "…", "pred_relevant_windows": [[0, 70, 0.9986]],
///      "pred_saliency_scores": [-0.24]}
public struct WindowPredictions: Sendable, Equatable {
  /// One answer of ``windows``.
  public struct Window: Sendable, Equatable {
    /// The start and end, in seconds from the video's start.
    public var span: TimeSpan
    /// The score; higher is better. A window without a score in the file gets minus its rank.
    public var score: Double

    /// - Parameter score: higher is better.
    public init(span: TimeSpan, score: Double) {
      self.span = span
      self.score = score
    }
  }

  /// `qid`
  public var id: QueryID
  /// The text of the query, if known.
  public var query: String?
  /// `vid`, the name of the video, if known.
  public var video: String?
  /// The windows in the file's order, the best first.
  public var windows: [Window]
  /// A score for each clip of 2 s; nil if the model gives none.
  public var saliency: [Double]?

  /// - Parameters:
  ///   - windows: the best first.
  ///   - saliency: a score for each clip of 2 s.
  public init(
    id: QueryID, query: String? = nil, video: String? = nil, windows: [Window], saliency: [Double]? = nil
  ) {
    (self.id, self.query, self.video) = (id, query, video)
    (self.windows, self.saliency) = (windows, saliency)
  }

  /// Reads one row. A window without a score gets minus its rank as score.
  ///
  /// - Throws: `DataError` for a row without `qid`, and for windows or scores of another form.
  public init(json row: JSON) throws {
    let id = try QueryID(in: row, "qid")
    (self.id, query, video) = (id, row["query"]?.string, row["vid"]?.string)
    let list = row["pred_relevant_windows"] ?? .null
    windows = try (list.isNull ? [] : list.array ?? [list]).enumerated().map { place, window in
      let numbers = window.array?.map(\.double) ?? []
      let times = numbers.prefix(2).compactMap { $0 }
      guard (2...3).contains(numbers.count), times.count == 2, times.allSatisfy(TimeSpan.isTime),
        let score = numbers.count == 3 ? numbers[2] : -Double(place), score.isFinite
      else {
        throw DataError(
          "a window is \(window.shown), not [start, end, score]", place: "query \(id)")
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

  /// The row in the submission format.
  public var json: JSON {
    var row: JSONObject = ["qid": id.json]
    row["query"] = query.map { .string($0) }
    row["vid"] = video.map { .string($0) }
    row["pred_relevant_windows"] = .array(
      windows.map { [.double($0.span.start), .double($0.span.end), .double($0.score)] })
    row["pred_saliency_scores"] = saliency.map { .array($0.map { .double($0) }) }
    return .object(row)
  }

  /// Writes a file with one row a line.
  public static func write(_ rows: [WindowPredictions], to path: String) throws {
    let file = try AtomicFile(path: path)
    for row in rows { try file.write(row.json.encoded() + "\n") }
    try file.commit()
  }
}
