import Engine
import Formats
import Foundation
import Metrics
import Synchronization
import Training

/// Answers queries from an index of CLIP's rows, without a model that was trained on moments.
///
/// `CLIPRanking` says how moments are ranked.
public final class CLIPSearcher: VideoSearcher, @unchecked Sendable {
  /// The index that is searched.
  public let index: IndexFile
  /// The text tower that reads queries.
  public let model: CLIPModel
  private let search: CLIPRanking
  /// Held by whoever uses the device.
  private let turns = NSLock()

  /// - Parameters:
  ///   - path: the index.
  ///   - weights: of the CLIP; nil for those that made the index.
  ///   - vocabulary: nil for the one that the index was made with.
  ///   - activation: nil for what the index or the files say.
  ///   - rowsRead: see `IndexedVideos`.
  /// - Throws: `DataError` where the index was made with another model.
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

  /// How many tokens of a long query CLIP reads; nil where it reads all.
  public func note(on text: String) -> String? { model.cut(text) }

  /// The row of a typed query.
  /// - Throws: `UsageError` for an empty one and an endless one.
  private func row(_ text: String) throws -> (query: String, row: [Float]) {
    let query = try MomentSearcher.checkedQuery(text)
    return (query, turns.withLock { model.row(query) })
  }

  /// Moments by pictures and by subtitles, joined by the ranks that they have in the two lists.
  ///
  /// - Throws: `UsageError` for an empty or endless query; `DataError` where the index cannot be
  ///   read.
  public func find(_ text: String, limit: Int) throws -> [FoundMoment] {
    let (query, unit) = try row(text)
    return try search.find(query, unit, limit: limit)
  }

  /// Cosines of all frames, the score of the run that each frame belongs to (0 outside runs), and
  /// the runs.
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
