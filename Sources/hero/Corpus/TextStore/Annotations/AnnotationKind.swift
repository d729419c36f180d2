import Formats
import Foundation

extension TextStoreTask {
  /// Whether the rows name the right one of several answers, or say whether a statement is true.
  public var hasAnswers: Bool {
    switch content {
    case .questions, .futures, .statements: true
    case .queries, .windows, .clips, .videoCaptions, .subtitles: false
    }
  }

  /// Whether the rows are queries of a corpus.
  public var hasQueries: Bool { content == .queries }

  /// Whether the rows are statements, which are true or false.
  public var hasStatements: Bool { content == .statements }

  /// Returns the first task whose annotations have a file's form, or nil if its first row shows
  /// none.
  ///
  /// - Parameter path: an annotation as its authors publish it, JSON lines, or a text store.
  /// - Throws: `DataError` for a file that is neither JSON nor a table.
  public static func looking(like path: String) throws -> TextStoreTask? {
    let rows = path + "/query_data.jsonl"
    let file = FileManager.default.fileExists(atPath: rows) ? rows : path
    var found: TextStoreTask?
    do {
      switch try AnnotationForm.detect(path: file) {
      case .lines, .list: found = try JSONLines.first(path: file)?.value.object.flatMap(ofRow)
      case .document:
        try JSON.readMembers(path: file) { key, value in
          found = ofMember(key, value)
          if found != nil { throw Seen() }
        }
      case .table:
        try CSVRecords.read(path: file) { _, fields in
          found = ofRecord((try? fields.get()) ?? [])
          throw Seen()
        }
      }
    } catch is Seen {}
    return found
  }

  private struct Seen: Error {}

  private static func ofRow(_ row: JSONObject) -> TextStoreTask? {
    row["annotation_id"] != nil && row["description"] != nil ? didemo : holding(row).first
  }

  /// Returns the task of a document's member: one of MSR-VTT's lists, of VIOLIN's clips, or of
  /// ActivityNet's and TACoS's videos.
  private static func ofMember(_ key: String, _ value: JSON) -> TextStoreTask? {
    if key == "sentences" { return msrvtt }
    if value["statement"] != nil { return violin }
    return value["timestamps"] == nil ? nil : qvhighlights
  }

  /// Returns the task of a table's first line.
  private static func ofRecord(_ fields: [String]) -> TextStoreTask? {
    if fields.contains(where: { $0.contains("##") }) { return qvhighlights }
    if fields.contains("video_id") { return msrvtt }
    return fields.count == 7 ? how2qa : fields.count == 4 ? how2r : nil
  }
}
