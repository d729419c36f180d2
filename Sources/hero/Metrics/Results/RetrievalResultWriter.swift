import Formats

/// Writes a retrieval result file query by query, so that no more than one query's predictions are in memory.
public final class RetrievalResultWriter {
  private let file: AtomicFile
  private var task: RetrievalTask?
  private var isFirstQuery = true

  /// Begins the file; nothing stands at `path` before `finish()`.
  ///
  /// - Parameter videoIndex: the number of each candidate video, written in the order of the numbers.
  public init(path: String, videoIndex: [String: Int]) throws {
    file = try AtomicFile(path: path)
    let videos = videoIndex.sorted { ($0.value, $0.key) < ($1.value, $1.key) }
    let object = JSONObject(videos.lazy.map { (key: $0.key, value: JSON.int($0.value)) })
    try file.write("{\"video2idx\":\(JSON.object(object).encoded())")
  }

  /// Begins the list of a task.
  public func begin(_ task: RetrievalTask) throws {
    try endTask()
    self.task = task
    isFirstQuery = true
    try file.write(",\"\(task.rawValue)\":[")
  }

  /// Adds a query to the task begun last. Predictions that score 0 answer nothing and are left out.
  public func write(_ query: QueryPredictions) throws {
    let row: JSON = [
      "desc_id": query.id.json, "desc": "",
      "predictions": .array(query.predictions.filter { $0.score != 0 }.map(\.json)),
    ]
    try file.write((isFirstQuery ? "" : ",") + row.encoded())
    isFirstQuery = false
  }

  /// Completes the file and puts it in its place.
  public func finish() throws {
    try endTask()
    try file.write("}\n")
    try file.commit()
  }

  private func endTask() throws {
    if task != nil { try file.write("]") }
    task = nil
  }
}

extension RetrievalResults {
  /// Writes the results as a file.
  public func write(path: String) throws {
    let writer = try RetrievalResultWriter(path: path, videoIndex: videoIndex)
    for (task, queries) in tasks {
      try writer.begin(task)
      for query in queries { try writer.write(query) }
    }
    try writer.finish()
  }
}
