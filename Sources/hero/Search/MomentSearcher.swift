import Corpus
import Engine
import Formats
import Foundation
import Metrics
import Model
import Tasks
import Text
import Training

/// A moment that answers a query.
public struct FoundMoment: Sendable, Equatable {
  /// The video's number in the index.
  public var number: Int
  /// The information that the index has about the video.
  public var video: IndexedVideo
  /// Seconds from the video's start.
  public var start: Double
  /// Seconds from the video's start.
  public var end: Double
  /// exp(α · cosine) · p(start) · p(end); with CLIP, the sum of 1 / (60 + rank).
  public var score: Float
  /// The parts of CLIP's score; nil for a trained model.
  public var evidence: Evidence?

  /// The scores and ranks of a moment in the list of pictures and in that of subtitles.
  public struct Evidence: Sendable, Equatable {
    /// The mean cosine of its frames with the query.
    public var cosine: Float?
    /// The rank among pictures, from 1.
    public var pictureRank: Int?
    /// The score of the subtitles' words; nil if the query shares none with them.
    public var bm25: Float?
    /// The rank among subtitles, from 1.
    public var subtitleRank: Int?
  }

  /// The words said during the moment.
  public var subtitle: String { video.said(from: start, to: end) }

  /// The moment as JSON, for both `--json` and the server.
  public var json: JSON {
    var json: JSONObject = [
      "video": .string(video.name), "number": .int(number), "start": .double(start), "end": .double(end),
      "score": .double(Double(score)), "subtitle": .string(subtitle), "duration": .double(video.duration),
      "playable": .bool(video.file != nil),
    ]
    if let evidence {
      json["cosine"] = evidence.cosine.map { .double(Double($0)) } ?? .null
      json["picture_rank"] = evidence.pictureRank.map { .int($0) } ?? .null
      json["bm25"] = evidence.bm25.map { .double(Double($0)) } ?? .null
      json["subtitle_rank"] = evidence.subtitleRank.map { .int($0) } ?? .null
    }
    return .object(json)
  }
}

/// The fit of a query with a video, frame by frame.
public struct Alignment: Sendable {
  /// The cosine of the query with each frame.
  public var cosines: [Float]
  /// The score of the best moment that covers each frame, given the video.
  public var moments: [Float]
  /// The best moments after suppression.
  public var best: [MomentPrediction]
}

/// Answers queries from an index. Threads may share it; they take turns.
public final class MomentSearcher: @unchecked Sendable {
  /// The index that is searched.
  public let index: IndexFile
  /// The model that made the index; it encodes queries.
  public let model: SearchModel
  private let search: MomentSearch<IndexedVideos>
  private let options: RetrievalEvaluationOptions
  /// The search with the settings of `hero eval`.
  private let evaluating: MomentSearch<IndexedVideos>
  private let suppression: NonMaximumSuppression
  /// The lock that whoever uses the device holds.
  let turns = NSLock()

  /// The overlap with a better moment above which a moment is suppressed, if the run sets none.
  private static let usualSuppression: Float = 0.5
  /// The maximum number of bytes of a query.
  public static let longestQuery = 1000

  /// Opens an index with the model that made it.
  ///
  /// - Parameters:
  ///   - path: the index.
  ///   - folder: the folder of the model's run; nil for the run that made the index.
  ///   - tokenizer: its folder; nil for the one that made the index.
  ///   - rowsRead: see `IndexedVideos`.
  /// - Throws: `DataError` where another model made the index.
  public init(
    index path: String, folder: String? = nil, checkpoint: String = "best", tokenizer: String? = nil,
    arguments: RunArguments = RunArguments(), rowsRead: Int = IndexedVideos.usualRowsRead, log: RunLog,
    backend: any Backend
  ) throws {
    index = try IndexFile(path: path)
    model = try SearchModel(
      folder: folder ?? index.head.modelFolder, checkpoint: checkpoint,
      tokenizer: try TokenizerFolder.find(
        option: tokenizer, note: TokenizerFolder.Note(file: path, folder: index.head.tokenizer)),
      arguments: arguments, log: log, backend: backend)
    try index.head.requireSame(as: model.head, file: path)
    if let (own, given) = index.head.int8Difference(from: model.head) {
      log.warning(
        "\(path): its videos were encoded in \(own.rawValue), queries are in \(given.rawValue); --precision "
          + "\(own.rawValue) computes both alike")
    }
    options = model.opened.options
    let videos = IndexedVideos(index, rowsRead: rowsRead)
    search = MomentSearch(model: model.model, videos: videos, options: options, findsShortVideos: true)
    evaluating = MomentSearch(model: model.model, videos: videos, options: options)
    suppression = NonMaximumSuppression(
      threshold: options.suppression ?? Self.usualSuppression, limit: options.kept)
  }

  /// Whether answers may lack a video that comparing with every frame would find.
  public var isApproximate: Bool { search.videos.isApproximate }

  private var findsMoments: Bool { options.rankings.contains(where: \.findsMoments) }

  /// Returns a query without the white space around it.
  /// - Throws: `UsageError` for a query that is empty, too long or not UTF-8.
  static func checkedQuery(_ text: String) throws -> String {
    // Byte order marks and white space may surround the sentence in any order.
    let query = text.trimmingCharacters(in: .whitespacesAndNewlines.union(["\u{FEFF}"]))
    guard !query.isEmpty else { throw UsageError("the query is empty") }
    guard !query.utf8.contains(0) else {
      throw UsageError("the query has a zero byte in it, as UTF-16 does; give it in UTF-8")
    }
    guard !query.unicodeScalars.contains("\u{FFFD}") else {
      throw UsageError("the query has bytes in it that are not UTF-8 (U+FFFD); give it in UTF-8")
    }
    guard query.utf8.count <= longestQuery else {
      throw UsageError("the query has more than \(longestQuery) bytes")
    }
    return query
  }

  /// Returns the tokens of a typed query.
  /// - Throws: `UsageError` for a query that is empty, too long or unreadable for the model.
  private func tokens(_ text: String) throws -> [Int32] {
    let query = try Self.checkedQuery(text)
    do { return try model.tokens(query) } catch let error as DataError { throw UsageError("\(error)") }
  }

  /// Returns the best moments for a query, best first.
  ///
  /// Suppresses those that overlap a better one.
  public func find(_ text: String, limit: Int) throws -> [FoundMoment] {
    try find(tokens: try tokens(text), limit: limit)
  }

  /// Does the same for token ids, which include the leading special token.
  public func find(tokens: [Int32], limit: Int) throws -> [FoundMoment] {
    guard index.count > 0 else { return [] }
    let answer = try turns.withLock {
      try search.answer([tokens], own: [nil], findsMoments: findsMoments)[0]
    }
    let ranked = findsMoments ? suppression(answer.moments) : answer.videos
    // Subtitles of a long video are read only once.
    var videos: [Int: IndexedVideo] = [:]
    return try ranked.prefix(max(0, limit)).map { found in
      let video = try videos[found.video] ?? index.video(found.video)
      videos[found.video] = video
      let end = findsMoments ? Double(found.end) : video.duration
      return FoundMoment(
        number: found.video, video: video, start: Double(found.start), end: end, score: found.score)
    }
  }

  /// Returns what `hero eval` finds for a query about a known video, with the run's own
  /// suppression.
  public func evaluate(tokens: [Int32], video: Int) throws -> MomentSearch<IndexedVideos>.Answer {
    var answer = try turns.withLock {
      try evaluating.answer([tokens], own: [video], findsMoments: findsMoments)[0]
    }
    func ranked(_ moments: [MomentPrediction]) -> [MomentPrediction] {
      guard options.suppression != nil else { return Array(moments.prefix(options.keptAfterSuppression)) }
      return suppression(Array(moments.prefix(options.keptAfterSuppression)))
    }
    answer.moments = ranked(answer.moments)
    answer.ownMoments = answer.ownMoments.map(ranked)
    return answer
  }

  /// Returns how a query fits one video.
  public func align(_ text: String, video: Int) throws -> Alignment {
    try align(tokens: try tokens(text), video: video)
  }

  /// Does the same for token ids.
  public func align(tokens: [Int32], video: Int) throws -> Alignment {
    let (unit, answer) = try turns.withLock {
      let tape = Tape.inference(model.model.store.backend)
      let text = TextInput([tokens], for: model.model.configuration, on: tape.backend)
      let encoded = model.model.encodeQueries(tape, text)
      let unit = tape.backend.values(of: model.model.normalized(tape, encoded))
      guard findsMoments else { return (unit, [MomentPrediction]()) }
      return (unit, try search.moments(encoded, in: video, tape))
    }
    let cosines = try search.videos.cosines(unit, video: video)
    var moments = [Float](repeating: 0, count: cosines.count)
    let interval = Float(index.head.frameInterval)
    // Going from the worst to the best lets the best overwrite the others.
    for moment in answer.reversed() {
      let first = Int((moment.start / interval).rounded())
      let last = min(Int((moment.end / interval).rounded()), moments.count)
      for frame in max(0, first)..<max(first, last) { moments[frame] = moment.score }
    }
    return Alignment(cosines: cosines, moments: moments, best: suppression(answer))
  }
}
