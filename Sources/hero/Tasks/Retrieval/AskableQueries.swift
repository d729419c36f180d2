import Corpus
import Formats
import Model

/// A reader of the queries of a split that reports those that cannot be asked.
public struct AskableQueries: Sendable {
  private let queries: QueryStore
  /// The split's videos.
  private let candidates: CandidateVideos
  /// The split's videos that can be read.
  private let usable: CandidateVideos
  /// The models that read the queries.
  private let models: [ModelConfiguration]
  private let skips: SkipReport

  init(
    queries: QueryStore, candidates: CandidateVideos, usable: CandidateVideos, models: [ModelConfiguration],
    skips: SkipReport
  ) {
    (self.queries, self.candidates, self.usable) = (queries, candidates, usable)
    (self.models, self.skips) = (models, skips)
  }

  /// Returns a query, or nil if it cannot be asked; the skip report names it then.
  func query(_ id: String) throws -> Query? {
    do {
      let query = try queries.query(id)
      for model in models { try checkQuery([queries.meta.cls] + query.tokens, model, "query \(id)") }
      if let video = query.video, usable.place(of: video) == nil {
        throw candidates.place(of: video) == nil
          ? Self.notACandidate(video)
          : DataError("its video \"\(video)\" cannot be used", cure: "See what is said of the video")
      }
      return query
    } catch let error as DataError {
      skips.skip("query \(id)", file: queries.path, error)
      return nil
    }
  }

  /// Checks, before any work and from the side files alone, whether the queries belong to a split.
  /// - Throws: `DataError` if the videos of more than half of the queries are not among the
  ///   split's.
  public static func require(_ queries: QueryStore, in candidates: CandidateVideos) throws {
    let strangers = queries.ids.filter { id in
      queries.video(of: id).map { candidates.place(of: $0) == nil } ?? false
    }
    if let hint = candidates.hint(missing: strangers.compactMap { queries.video(of: $0) }) {
      Notice.tell("\(queries.path): videos of \(strangers.count) queries are no candidates; \(hint)")
    }
    let first = strangers.first.map { id in
      notACandidate(queries.video(of: id) ?? "").located(file: queries.path, place: "query \(id)")
    }
    let all = queries.ids.count
    try requireMost(all - strangers.count, of: all, "queries", file: queries.path, first: first)
  }

  /// Checks, before any work, whether a model can use most of a split's videos and queries.
  /// - Throws: `DataError` if it cannot use more than half of either.
  public static func require(
    _ queries: QueryStore, in candidates: CandidateVideos, reader: VideoReader, for model: ModelConfiguration
  ) throws {
    try require(queries, in: candidates)
    var videos = ReadableVideos(reader, for: model)
    try requireMost(of: candidates.names, "candidate videos", file: reader.features.path) {
      _ = try videos.frames(of: $0)
    }
    try requireMost(of: queries.ids, "queries", file: queries.path) { id in
      let query = try queries.query(id)
      try checkQuery([queries.meta.cls] + query.tokens, model, "query \(id)")
      guard let video = query.video else { return }
      guard candidates.place(of: video) != nil else { throw notACandidate(video) }
      _ = try videos.frames(of: video)
    }
  }

  private static func notACandidate(_ video: String) -> DataError {
    DataError(
      "its video \"\(video)\" is not among the split's videos",
      cure:
        "Name the split that the queries belong to, or list the video in vid2dur_idx.json; without that file, "
        + "convert its features")
  }
}
