import Engine
import Formats
import Foundation
import Metrics
import Synchronization
import Training

/// Answers queries from an index of CLIP's rows, without a model trained on moments.
///
/// `CLIPRanking` defines the ranking.
public final class CLIPSearcher: VideoSearcher, @unchecked Sendable {
  /// The index that is searched.
  public let index: IndexFile
  /// The CLIP whose text tower reads queries.
  public let model: CLIPModel
  private let search: CLIPRanking
  /// The lock that whoever uses the device holds.
  private let turns = NSLock()

  /// Opens an index of CLIP's rows.
  ///
  /// - Parameters:
  ///   - path: the index.
  ///   - weights: the CLIP's weights; nil for those that made the index.
  ///   - vocabulary: nil for the one that made the index.
  ///   - activation: nil for the one that the index or the files name.
  ///   - rowsRead: see `IndexedVideos`.
  /// - Throws: `DataError` where another model made the index.
  public init(
    index path: String, weights: String? = nil, vocabulary: String? = nil, activation: CLIPActivation? = nil,
    rowsRead: Int = IndexedVideos.usualRowsRead, log: RunLog, backend: any Backend
  ) throws {
    index = try IndexFile(path: path)
    let head = index.head
    guard case .clip(let known) = head.kind else {
      throw DataError("was made with \(head.origin), not with a CLIP", file: path)
    }
    model = try DataError.locating(
      cure:
        "Give --clip and --clip-vocabulary where the index's own, \(head.modelFolder) and \(head.tokenizer), are gone"
    ) {
      try CLIPModel(
        weights: weights ?? head.modelFolder,
        vocabulary: vocabulary ?? (weights == nil ? head.tokenizer : nil),
        activation: activation ?? known, frameInterval: head.frameInterval, log: log, backend: backend)
    }
    try head.requireSame(as: model.head, file: path)
    search = try CLIPRanking(index, rowsRead: rowsRead)
  }

  /// Whether the index has more frames than are compared exactly.
  public var isApproximate: Bool { search.videos.isApproximate }

  /// `{"by": "clip", "pictures": …}`; with "subtitles" and "joined" where the index holds speech.
  public var ranking: JSON {
    var json: JSONObject = [
      "by": "clip",
      "pictures":
        "mean cosine of a run of frames around a peak, down to the middle between it and the video's mean",
    ]
    if !search.spoken.isEmpty {
      json["subtitles"] = "BM25"
      json["joined"] = .string("sum of 1 / (\(CLIPRanking.k) + rank)")
    }
    return .object(json)
  }

  /// Returns a note on how much of a long query CLIP reads; nil if it reads all.
  public func note(on text: String) -> String? { model.cut(text) }

  /// Returns the row of a typed query.
  /// - Throws: `UsageError` for a query that is empty, too long or not UTF-8.
  private func row(_ text: String) throws -> (query: String, row: [Float]) {
    let query = try MomentSearcher.checkedQuery(text)
    return (query, turns.withLock { model.row(query) })
  }

  /// Finds moments by pictures and by subtitles, joined by their ranks in the two lists.
  ///
  /// - Throws: `UsageError` for a query that is empty, too long or not UTF-8; `DataError` where the
  ///   index cannot be read.
  public func find(_ text: String, limit: Int) throws -> [FoundMoment] {
    let (query, unit) = try row(text)
    return try search.find(query, unit, limit: limit)
  }

  /// Returns all frames' cosines, the score of each frame's run (0 outside runs), and the runs.
  ///
  /// - Throws: as ``find(_:limit:)``.
  public func align(_ text: String, video: Int) throws -> Alignment {
    let cosines = try search.videos.cosines(try row(text).row, video: video)
    let interval = Float(index.head.frameInterval)
    var moments = [Float](repeating: 0, count: cosines.count)
    let found = search.runs.runs(cosines)
    for run in found.reversed() { for frame in run.frames { moments[frame] = run.score } }
    return Alignment(
      cosines: cosines, moments: moments,
      best: found.map { run in
        MomentPrediction(
          video: video, start: Float(run.frames.lowerBound) * interval,
          end: Float(run.frames.upperBound) * interval, score: run.score)
      })
  }
}
