import Formats

/// A sentence to find a moment or a video for.
public struct Query: Sendable, Equatable {
  /// The key in the store, such as TVR's `desc_id`.
  public let id: String
  /// The video it is about, or nil on hidden splits.
  public let video: String?
  /// Token ids, without special tokens.
  public let tokens: [Int32]
  /// The annotated moments: one for most queries, none on hidden splits and for MSR-VTT.
  ///
  /// There are several where several annotators mark one moment (DiDeMo) or where several moments
  /// answer (QVHighlights).
  public let spans: [TimeSpan]
}

/// A store of queries: `tvr`, `how2r`, `didemo`, `msrvtt`, `qvhighlights` and their like.
///
/// Source: `TvrEncoder`/`QueryTokLmdb` of the reference.
public final class QueryStore: AnnotationStore {
  /// The records by id, with their lengths and videos.
  public let texts: TextStore

  /// - Throws: `DataError` where the folder is no store, or one of another task.
  public init(path: String) throws { texts = try TextStore(path: path) { $0 == .queries || $0 == .windows } }

  /// Whether a query's moments are all those that answer it, and not several annotators' marks of
  /// one.
  public var holdsWindows: Bool { meta.task.flatMap(TextStoreTask.init(rawValue:))?.content == .windows }

  /// The file with the annotations as they were given.
  public var annotationPath: String { path + "/query_data.jsonl" }

  /// Returns the query `id`.
  ///
  /// Throws `DataError` naming it if it is missing or malformed; an unreadable moment is malformed.
  public func query(_ id: String) throws -> Query {
    let record = try texts.record(id)
    return Query(
      id: id, video: texts.video(of: id, in: record),
      tokens: try record.tokens(record["input_ids"], "input_ids"), spans: try spans(record))
  }

  private func spans(_ record: StoreRecord) throws -> [TimeSpan] {
    guard let field = record["target"] ?? record["ts"] else { return [] }
    if let span = TimeSpan(field) { return [span] }
    guard let list = field.array else {
      throw record.error("\"ts\" is neither a moment nor a list of moments")
    }
    return try list.map {
      guard let span = TimeSpan($0) else { throw record.error("\"ts\" holds something that is not a moment") }
      return span
    }
  }
}
