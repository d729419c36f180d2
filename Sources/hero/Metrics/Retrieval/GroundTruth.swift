import Formats

/// The right answer to a retrieval query.
public struct RetrievalTruth: Sendable, Equatable {
  /// `desc_id`
  public var id: QueryID
  /// The name of the video.
  public var video: String
  /// The moment as each annotator marked it, in seconds; empty if the data set names only the
  /// video.
  public var spans: [TimeSpan]
  /// The modality of the query: `v` video, `t` subtitles, `vt` both; nil if the data set does not
  /// say.
  public var type: String?

  /// - Parameters:
  ///   - video: the name of the video.
  ///   - spans: the moment as each annotator marked it, in seconds.
  ///   - type: `v`, `t`, `vt` or nil.
  public init(id: QueryID, video: String, spans: [TimeSpan], type: String? = nil) {
    self.id = id
    self.video = video
    self.spans = spans
    self.type = type
  }

  /// The number of annotators' spans that a prediction must match: two of four or more (DiDeMo),
  /// else one.
  var agreementNeeded: Int { spans.count >= 4 ? 2 : 1 }

  /// Returns a notice if some queries have a moment and others only a video, else nil.
  package static func momentless(_ truths: [RetrievalTruth]) -> String? {
    let without = truths.filter(\.spans.isEmpty)
    guard let first = without.first, without.count < truths.count else { return nil }
    return
      "\(without.count) of \(truths.count) queries, the first \(first.id), have no moment; no figure of moments "
      + "counts them"
  }

  /// Reads an annotation row: `desc_id` (MSR-VTT: `sen_id`), `vid_name`, `ts` as a span or list,
  /// `type`.
  ///
  /// - Returns: nil if the row does not name a video: its ground truth is hidden.
  /// - Throws: `DataError` for a row without an id or with a `ts` of another form.
  public init?(annotation row: JSON) throws {
    let id = try QueryID(in: row, "desc_id", "sen_id", "qid")
    guard let name = row["vid_name"], !name.isNull else { return nil }
    guard let video = name.string else {
      throw DataError("\"vid_name\" is \(name.kind), not text", place: "query \(id)")
    }
    self.init(
      id: id, video: video, spans: try Self.spans(row["ts"], of: id), type: row["type"]?.string)
  }

  private static func spans(_ json: JSON?, of id: QueryID) throws -> [TimeSpan] {
    guard let json, json != .null else { return [] }
    if let span = TimeSpan(json) { return [span] }
    let spans = json.array?.map { TimeSpan($0) }
    guard let spans, !spans.isEmpty, !spans.contains(nil) else {
      throw DataError(
        "\"ts\" is neither [start, end] nor a list of such spans", place: "query \(id)")
    }
    return spans.compactMap { $0 }
  }
}
