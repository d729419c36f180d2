import Formats

/// The predictions for one query, the best first.
public struct QueryPredictions: Sendable, Equatable {
  /// `desc_id`
  public var id: QueryID
  /// The best first.
  public var predictions: [MomentPrediction]
  /// How well each frame of the query's own video fits it; empty unless asked for.
  public var frameScores: [Float]

  /// - Parameter predictions: the best first.
  public init(id: QueryID, predictions: [MomentPrediction], frameScores: [Float] = []) {
    self.id = id
    self.predictions = predictions
    self.frameScores = frameScores
  }
}

/// The predictions of a retrieval run, as its result file holds them: `{"video2idx": {name: index},
/// "SVMR": [{"desc_id", "desc", "predictions": [[index, start, end, score], …]}], …}`.
public struct RetrievalResults: Sendable {
  /// The number of each candidate video.
  public var videoIndex: [Name: Int]
  /// Predictions by ranking, in the order of the file.
  public var rankings: [(ranking: Ranking, queries: [QueryPredictions])]
  /// Queries that could not be asked. They have no predictions, and no figure counts them.
  public var leftOut: [QueryID]

  /// - Parameters:
  ///   - videoIndex: the number of each video, `video2idx`.
  ///   - rankings: the queries' predictions, by ranking.
  ///   - leftOut: queries that could not be asked.
  public init(
    videoIndex: [Name: Int], rankings: [(ranking: Ranking, queries: [QueryPredictions])],
    leftOut: [QueryID] = []
  ) {
    self.videoIndex = videoIndex
    self.rankings = rankings
    self.leftOut = leftOut
  }

  /// The same about other predictions of the same queries.
  public func with(
    _ rankings: [(ranking: Ranking, queries: [QueryPredictions])]
  ) -> RetrievalResults {
    RetrievalResults(videoIndex: videoIndex, rankings: rankings, leftOut: leftOut)
  }

  /// The results after non-maximum suppression of moments; video retrieval, which has none, is left
  /// out.
  public func suppressed(by suppression: NonMaximumSuppression) -> RetrievalResults {
    with(
      rankings.filter(\.ranking.findsMoments).map { ranking, queries in
        (ranking, queries.map { QueryPredictions(id: $0.id, predictions: suppression($0.predictions)) })
      })
  }

  /// Writes the results as VALUE's EvaluationTools take them: without names, texts and scores,
  /// moments as `[video, start, end]` and videos as their numbers. Predictions that score 0 answer
  /// nothing and are left out.
  ///
  ///     {"VCMR": [{"desc_id": 1, "predictions": [[0, 4.5, 13.5]]}],
  ///      "VR": [{"desc_id": 1, "predictions": [0, 7]}]}
  ///
  /// - Parameter idsAreText: whether ids that are numbers are written as text.
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

  /// Writes the results as a file, a query at a time. Predictions that score 0 answer nothing and
  /// are left out.
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
