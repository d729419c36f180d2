import Formats

/// The predictions for one query.
public struct QueryPredictions: Sendable, Equatable {
  /// `desc_id`
  public var id: QueryID
  /// The predictions, the best first.
  public var predictions: [MomentPrediction]
  /// The score of each frame of the query's own video; empty unless asked for.
  public var frameScores: [Float]

  /// - Parameter predictions: the best first.
  public init(id: QueryID, predictions: [MomentPrediction], frameScores: [Float] = []) {
    self.id = id
    self.predictions = predictions
    self.frameScores = frameScores
  }
}

/// The predictions of a retrieval run, as in its result file: `{"video2idx": {name: index}, "SVMR":
/// [{"desc_id", "desc", "predictions": [[index, start, end, score], …]}], …}`.
public struct RetrievalResults: Sendable {
  /// The number of each candidate video.
  public var videoIndex: [Name: Int]
  /// The predictions by ranking, in the order of the file.
  public var rankings: [(ranking: Ranking, queries: [QueryPredictions])]
  /// The queries that could not be asked. They have no predictions, and no figure counts them.
  public var leftOut: [QueryID]

  /// - Parameters:
  ///   - videoIndex: the number of each video, `video2idx`.
  ///   - rankings: the queries' predictions, by ranking.
  ///   - leftOut: the queries that could not be asked.
  public init(
    videoIndex: [Name: Int], rankings: [(ranking: Ranking, queries: [QueryPredictions])],
    leftOut: [QueryID] = []
  ) {
    self.videoIndex = videoIndex
    self.rankings = rankings
    self.leftOut = leftOut
  }

  /// Returns these results with other predictions for the same queries.
  public func with(
    _ rankings: [(ranking: Ranking, queries: [QueryPredictions])]
  ) -> RetrievalResults {
    RetrievalResults(videoIndex: videoIndex, rankings: rankings, leftOut: leftOut)
  }

  /// Returns the moments that remain after non-maximum suppression, without the ranking of videos.
  public func suppressed(by suppression: NonMaximumSuppression) -> RetrievalResults {
    with(
      rankings.filter(\.ranking.findsMoments).map { ranking, queries in
        (ranking, queries.map { QueryPredictions(id: $0.id, predictions: suppression($0.predictions)) })
      })
  }

  /// Writes the results for VALUE's EvaluationTools, without names, texts and scores.
  ///
  /// A moment is `[video, start, end]`, a video its number. Predictions with score 0 answer nothing
  /// and are skipped.
  ///
  ///     {"VCMR": [{"desc_id": 1, "predictions": [[0, 4.5, 13.5]]}],
  ///      "VR": [{"desc_id": 1, "predictions": [0, 7]}]}
  ///
  /// - Parameter idsAreText: whether numeric ids are written as text.
  public func writeForValue(path: String, idsAreText: Bool) throws {
    let file = try AtomicFile(path: path)
    for (number, (ranking, queries)) in rankings.enumerated() {
      try file.write("\(number == 0 ? "{" : ",")\"\(ranking.rawValue)\":[")
      for (number, query) in queries.enumerated() {
        let predictions = query.predictions.filter { $0.score != 0 }.map { moment -> JSON in
          guard ranking.findsMoments else { return .int(moment.video) }
          return [.int(moment.video), .double(Double(moment.start)), .double(Double(moment.end))]
        }
        let row: JSON = [
          "desc_id": idsAreText ? .string(query.id.text) : query.id.json, "predictions": .array(predictions),
        ]
        try file.write((number == 0 ? "" : ",") + row.encoded())
      }
      try file.write("]")
    }
    try file.write(rankings.isEmpty ? "{}\n" : "}\n")
    try file.commit()
  }

  /// Writes the result file, one query at a time. Predictions with score 0 answer nothing and are
  /// skipped.
  public func write(path: String) throws {
    let file = try AtomicFile(path: path)
    let videos = videoIndex.sorted { ($0.value, $0.key) < ($1.value, $1.key) }
    let numbers = JSONObject(videos.lazy.map { (key: $0.key.text, value: JSON.int($0.value)) })
    try file.write("{\"video2idx\":\(JSON.object(numbers).encoded())")
    for (ranking, queries) in rankings {
      try file.write(",\"\(ranking.rawValue)\":[")
      for (number, query) in queries.enumerated() {
        let row: JSON = [
          "desc_id": query.id.json, "desc": "",
          "predictions": .array(query.predictions.filter { $0.score != 0 }.map(\.json)),
        ]
        try file.write((number == 0 ? "" : ",") + row.encoded())
      }
      try file.write("]")
    }
    try file.write("}\n")
    try file.commit()
  }
}

extension MomentPrediction {
  /// The row of a result file, with numbers as the reference writes them.
  public var json: JSON {
    guard start != 0 || end != 0 else { return [.int(video), 0, 0, .double(Double(score))] }
    return [.int(video), .double(Double(start)), .double(Double(end)), .double(Double(score))]
  }
}
