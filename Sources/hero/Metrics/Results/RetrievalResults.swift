import Formats

/// The predictions for one query, the best first.
public struct QueryPredictions: Sendable, Equatable {
  public var id: QueryID
  public var predictions: [MomentPrediction]

  public init(id: QueryID, predictions: [MomentPrediction]) {
    self.id = id
    self.predictions = predictions
  }
}

/// The predictions of a retrieval run, as its result file holds them:
/// `{"video2idx": {name: index}, "SVMR": [{"desc_id", "desc", "predictions": [[index, start, end, score], …]}], …}`.
public struct RetrievalResults: Sendable {
  /// The number of each candidate video.
  public var videoIndex: [String: Int]
  /// Predictions by task, in the order of the file.
  public var tasks: [(task: RetrievalTask, queries: [QueryPredictions])]

  public init(videoIndex: [String: Int], tasks: [(task: RetrievalTask, queries: [QueryPredictions])]) {
    self.videoIndex = videoIndex
    self.tasks = tasks
  }

  /// The predictions for a task, or nil where the file has none.
  public subscript(task: RetrievalTask) -> [QueryPredictions]? {
    tasks.first { $0.task == task }?.queries
  }

  /// The results after non-maximum suppression of moments; video retrieval, which has none, is left out.
  public func suppressed(by suppression: NonMaximumSuppression) -> RetrievalResults {
    RetrievalResults(
      videoIndex: videoIndex,
      tasks: tasks.filter(\.task.findsMoments).map { task, queries in
        (task, queries.map { QueryPredictions(id: $0.id, predictions: suppression($0.predictions)) })
      })
  }

  // MARK: Reading

  /// Reads a result file, the reference's or ours.
  ///
  /// - Throws: `DataError` naming the task and the row that is not as it should be.
  public init(path: String) throws {
    self.init(videoIndex: [:], tasks: [])
    var hasVideos = false
    try JSON.readMembers(path: path) { name, value in
      if name == "video2idx" {
        videoIndex = try Self.videoIndex(value, file: path)
        hasVideos = true
      } else if let task = RetrievalTask(rawValue: name) {
        tasks.append((task, try Self.queries(value, task: task, file: path)))
      }
    }
    guard hasVideos, !tasks.isEmpty else {
      throw DataError(
        "holds no predictions: \"video2idx\" and one of \"VCMR\", \"SVMR\", \"VR\" are missing", file: path,
        cure: "Give a result file that hero eval or the reference wrote")
    }
  }

  private static func videoIndex(_ json: JSON, file: String) throws -> [String: Int] {
    guard let members = json.object else {
      throw DataError("\"video2idx\" is \(json.kind), not an object", file: file)
    }
    var videos: [String: Int] = [:]
    for (name, value) in members {
      guard let index = value.int else {
        throw DataError("the video's number is \(value.kind)", file: file, place: "video2idx, \"\(name)\"")
      }
      videos[name] = index
    }
    return videos
  }

  private static func queries(_ json: JSON, task: RetrievalTask, file: String) throws -> [QueryPredictions] {
    guard let rows = json.array else {
      throw DataError("\"\(task.rawValue)\" is \(json.kind), not a list", file: file)
    }
    return try rows.enumerated().map { number, row in
      let place = "\(task.rawValue), row \(number + 1)"
      guard let id = QueryID(row["desc_id"]), let predictions = row["predictions"]?.array else {
        throw DataError("\"desc_id\" or \"predictions\" is missing", file: file, place: place)
      }
      return QueryPredictions(
        id: id,
        predictions: try predictions.map { prediction in
          guard let moment = MomentPrediction(row: prediction) else {
            throw DataError(
              "a prediction is not [video index, start, end, score]", file: file, place: place)
          }
          return moment
        })
    }
  }
}

extension MomentPrediction {
  /// Reads `[video index, start, end, score]`; nil for anything else.
  init?(row: JSON) {
    guard let numbers = row.array, numbers.count >= 4,
      let video = numbers[0].double.flatMap(Int.init(exactly:)),
      let start = numbers[1].double, let end = numbers[2].double, let score = numbers[3].double
    else { return nil }
    self.init(video: video, start: Float(start), end: Float(end), score: Float(score))
  }

  /// The row of a result file, with numbers as the reference writes them.
  public var json: JSON {
    guard start != 0 || end != 0 else { return [.int(video), 0, 0, .double(Double(score))] }
    return [.int(video), .double(Double(start)), .double(Double(end)), .double(Double(score))]
  }
}
