import Formats

/// A row of the table of annotations: what a text store holds and how its annotation reads.
///
/// A new annotation of a known content is one more row here. One with a form of its own also has a
/// reader in `Annotations`.
public struct TextStoreTask: RawRepresentable, CaseIterable, Hashable, Sendable {
  /// The content of an annotation's rows.
  enum Content: Hashable, Sendable {
    /// `{desc_id, desc, vid_name, ts}`: a query, possibly with its moment, or a statement with
    /// `label`.
    case queries, statements
    /// `{qid, query, vid, relevant_windows}`: a query and all moments of its video that answer it.
    case windows
    /// `{qid, q, a0 …, answer_idx, vid_name, ts}`: a question with so many answers.
    case questions(answers: Int)
    /// `{example_id, events, answer, vid_name, ts}`: which of two events follows.
    case futures
    /// `{vid_name, clip_id, ts, duration, descs}`: captions of clips.
    case clips
    /// `{vid_name, desc_id, desc}`, or `{vid_name, clip_id, descs}`: captions of whole videos.
    case videoCaptions
    /// `{vid_name, sub}`
    case subtitles
  }

  /// The name that `hero create-txtdb --task` takes and `meta.json` holds.
  public let rawValue: String
  let content: Content

  private init(_ name: String, _ content: Content) {
    rawValue = name
    self.content = content
  }

  /// The table.
  public static let allCases = [
    tvr, how2r, didemo, msrvtt,
    TextStoreTask("yc2r", .queries),
    TextStoreTask("vatex_en_r", .queries),
    qvhighlights,
    TextStoreTask("charades_sta", .windows),
    TextStoreTask("activitynet", .windows),
    TextStoreTask("tacos", .windows),
    tvqa, how2qa,
    TextStoreTask("vlep", .futures),
    violin,
    tvc,
    TextStoreTask("yc2c", .videoCaptions),
    TextStoreTask("vatex_en_c", .videoCaptions),
    subtitles,
  ]

  // The tasks on TV, and those that are published in forms of their own.
  /// TVR: queries about moments.
  public static let tvr = TextStoreTask("tvr", .queries)
  /// TVQA: questions with five answers.
  public static let tvqa = TextStoreTask("tvqa", .questions(answers: 5))
  /// TVC: captions of moments.
  public static let tvc = TextStoreTask("tvc", .clips)
  /// Subtitles, which tasks read beside their own store.
  public static let subtitles = TextStoreTask("subtitles", .subtitles)
  /// QVHighlights: queries for all their moments within given videos.
  public static let qvhighlights = TextStoreTask("qvhighlights", .windows)
  static let how2r = TextStoreTask("how2r", .queries)
  static let didemo = TextStoreTask("didemo", .queries)
  static let msrvtt = TextStoreTask("msrvtt", .queries)
  static let how2qa = TextStoreTask("how2qa", .questions(answers: 4))
  static let violin = TextStoreTask("violin", .statements)

  /// Finds the task of a name; nil if the table has none.
  public init?(rawValue: String) {
    guard let task = Self.allCases.first(where: { $0.rawValue == rawValue }) else { return nil }
    self = task
  }

  /// The number of answers of each question; nil for stores without questions.
  public var answersPerQuestion: Int? { if case .questions(let answers) = content { answers } else { nil } }
  /// Whether making the store needs the frames of each video (`vid2nframe`).
  public var needsFrameCounts: Bool { content == .subtitles }
  /// Whether no search covers the store's videos, so that it has no use for a list of candidates.
  public var takesNoCandidates: Bool { content == .clips || content == .videoCaptions }
  /// Whether making the store needs the videos' subtitles.
  public var needsSubtitles: Bool { content == .clips }

  /// Returns whether the rows of another task's store mean what this task's rows mean.
  func reads(_ other: TextStoreTask) -> Bool {
    switch (content, other.content) {
    case (.questions, .questions): true
    case (.clips, .videoCaptions), (.videoCaptions, .clips), (.videoCaptions, .queries): true
    default: content == other.content
    }
  }

  /// Returns whether the task describes the videos that another task searches: `yc2c` those of
  /// `yc2r`.
  func captions(_ other: TextStoreTask) -> Bool {
    content == .videoCaptions && other.content == .queries && rawValue.dropLast() == other.rawValue.dropLast()
  }
}

extension TextStoreTask {
  /// Returns the tasks whose annotations have such rows.
  package static func holding(_ row: JSONObject) -> [TextStoreTask] {
    content(of: row).map { content in allCases.filter { $0.content == content } } ?? []
  }

  /// Returns the content that a row's keys show, or nil if they show none.
  private static func content(of row: JSONObject) -> Content? {
    func has(_ key: String) -> Bool { row[key].map { !$0.isNull } ?? false }
    if has("q"), has("a0") { return .questions(answers: (0..<100).first { row["a\($0)"] == nil } ?? 100) }
    if has("events") { return .futures }
    if has("query"), has("vid") { return .windows }
    if row["statement"]?.string != nil { return .statements }
    if has("sub") { return .subtitles }
    if has("descs") { return has("ts") ? .clips : .videoCaptions }
    guard has("desc") else { return nil }
    return has("label") && !has("ts") ? .statements : .queries
  }

  /// Refuses an object that is no row but holds rows.
  private static func refuseWrapper(_ row: JSONObject) throws(DataError) {
    guard let (key, list) = row.first(where: { $0.value.array?.first?.object != nil }) else { return }
    throw DataError(
      "is an object with a list of \(list.array?.count ?? 0) objects under \"\(key.prefix(80))\", not a row",
      cure: "Give that list alone, or its rows one a line")
  }

  /// Refuses a table by columns, as pandas and datasets write dictionaries.
  private static func refuseColumns(_ row: JSONObject) throws(DataError) {
    if let columns = row["columns"]?.array, row["data"]?.array != nil {
      throw notRows("is a table whose rows do not name its \(columns.count) columns")
    }
    let counts = row.map { $0.value.array?.count }
    guard counts.count > 2, let first = counts[0], first > 0, counts.allSatisfy({ $0 == first }) else {
      return
    }
    throw notRows(
      "is a table by columns (\(row.map { $0.key.prefix(40) }.prefix(5).joined(separator: ", "))), not a row")
  }

  private static func notRows(_ problem: String) -> DataError {
    DataError(problem, cure: "Write its rows: df.to_json(path, orient=\"records\", lines=True)")
  }

  private static let listOfActions = DataError(
    "is ActivityNet's list of actions ({\"database\": …}), which has no sentences",
    cure: "Give ActivityNet Captions' train.json or val_1.json: "
      + "{video: {\"duration\", \"timestamps\", \"sentences\"}}")

  /// Refuses common documents that belong to no task, recognized by one of their members.
  /// - Throws: `DataError` that says what the document is.
  static func refuseDocument(_ key: String, _ value: JSON) throws(DataError) {
    if key == "database" || key == "taxonomy" { throw listOfActions }
    // pandas' to_json: {column: {"0": …, "1": …}}, or for orient="index" {"0": {column: …}, …}.
    guard let members = value.object, let first = members.first(where: { _ in true }) else { return }
    if key == "0", content(of: members) != nil {
      throw notRows(
        "is a table by row numbers, as pandas writes it (\"0\": {\"\(first.key.prefix(40))\": …})")
    }
    if members.enumerated().allSatisfy({ $1.key == String($0) && $1.value.object == nil }) {
      throw notRows("is a table by columns with numbered rows, as pandas writes it (\(key.prefix(40)), …)")
    }
  }

  /// Refuses an annotation whose first row belongs to another task.
  /// - Throws: `DataError` naming the tasks that have such rows.
  func requireRow(_ row: JSONObject) throws(DataError) {
    if row["database"]?.object != nil { throw Self.listOfActions }
    try Self.refuseColumns(row)
    guard let found = Self.content(of: row) else { return try Self.refuseWrapper(row) }
    guard found != content else { return }
    switch (found, content) {
    // Statements of a hidden split have no label.
    case (.queries, .statements) where row["ts"]?.isNull ?? true: return
    // Single captions, or captions of clips that are videos of their own.
    case (.queries, .videoCaptions), (.clips, .videoCaptions): return
    // A moment within a given video.
    case (.queries, .windows): return
    // The message names what a row lacks.
    case (.videoCaptions, .clips): return
    case (.questions(let found), .questions(let wanted)) where found < wanted: return
    default: break
    }
    let others = Self.allCases.filter { $0.content == found }.map(\.rawValue)
    let what: String =
      switch found {
      case .questions(let answers): "a question with \(answers) answers"
      case .futures: "two \"events\" to choose from"
      case .subtitles: "a video's subtitles (\"sub\")"
      case .clips, .videoCaptions: "captions of a clip (\"descs\")"
      case .statements: "a statement with its \"label\" or \"answer\""
      case .queries: "a query (\"desc\" with \"ts\")"
      case .windows: "a query about a given video (\"query\" with \"vid\")"
      }
    throw DataError(
      "is \(what), not a row of \(rawValue)",
      cure: others.isEmpty ? "Check --task" : "Give --task \(others.joined(separator: " or "))")
  }
}
