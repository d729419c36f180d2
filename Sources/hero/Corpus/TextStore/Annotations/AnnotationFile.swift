import Formats
import Foundation

/// An annotation file that is read row by row in the reference's form, whatever its own form is.
struct AnnotationFile {
  /// A row's place (`line 3`), and the row or what is wrong with it.
  typealias Handler = (_ place: String, _ row: Result<JSONObject, BadRow>) throws -> Void

  let builder: TextStoreBuilder
  private var task: TextStoreTask { builder.task }
  private var path: String { builder.annotation }

  /// Calls `body` with every row.
  /// - Throws: `DataError` naming the line that is not JSON, and what `body` throws.
  func forEachRow(_ body: Handler) throws {
    let form = try AnnotationForm.detect(path: path)
    if form == .document { try refuseOtherDocuments() }
    switch (task, form) {
    case (let task, .lines) where task.content == .windows, (let task, .list) where task.content == .windows:
      try requireFirstRow()
      try WindowAnnotation.read(path, .lines, body)
    case (let task, let form) where task.content == .windows: try WindowAnnotation.read(path, form, body)
    case (.how2r, .table):
      try How2Annotation(task: .how2r, clipInterval: builder.clipInterval).read(path, body)
    case (.how2qa, .table):
      try How2Annotation(task: .how2qa, clipInterval: builder.clipInterval).read(path, body)
    case (.msrvtt, .table): try MSRVTTAnnotation.readTable(path, body)
    case (.msrvtt, .document): try MSRVTTAnnotation(split: builder.split).read(path, body)
    case (.didemo, .list) where try JSONLines.first(path: path)?.value["desc"] != nil: try readLines(body)
    case (.didemo, .document), (.didemo, .list): try DiDeMoAnnotation.read(path, body)
    case (.violin, .document): try ViolinAnnotation(split: builder.split).read(path, body)
    case (_, .lines), (_, .list): try readLines(body)
    case (_, let form):
      throw DataError(
        "not an annotation of \(task.rawValue) in a form that its authors publish: it begins as "
          + (form == .table ? "a table or as plain text" : "one JSON object of other things, not as rows"),
        file: path, cure: "Give JSON lines, or check --task")
    }
  }

  private struct Seen: Error {}

  /// Refuses a document that no task reads.
  ///
  /// It is recognized by its members up to the first list or object.
  private func refuseOtherDocuments() throws {
    do {
      try JSON.readMembers(path: path) { key, value in
        try DataError.locating(file: path) { try TextStoreTask.refuseDocument(key, value) }
        if value.object != nil || value.array != nil { throw Seen() }
      }
    } catch is Seen {}
  }

  /// Refuses a file whose first row belongs to another task.
  private func requireFirstRow() throws {
    guard let (line, value) = try JSONLines.first(path: path), let row = value.object else { return }
    try DataError.locating(file: path, place: "line \(line)") { try task.requireRow(row) }
  }

  /// Reads the reference's own form, or one list of the same rows.
  private func readLines(_ body: Handler) throws {
    var isFirst = true
    try JSONLines.read(path: path) { line, value in
      guard let row = value.object else {
        return try body("line \(line)", .failure(BadRow("is \(value.kind), not an object")))
      }
      if isFirst {
        isFirst = false
        try task.requireRow(row)
      }
      try body("line \(line)", .success(row))
    }
  }
}

/// The form of an annotation file, as its first line shows it.
enum AnnotationForm: Equatable {
  /// One JSON object per line.
  case lines
  /// One JSON object in the whole file.
  case document
  /// One JSON list in the whole file.
  case list
  /// Comma-separated values.
  case table

  private struct Found: Error { var form: AnnotationForm }

  static func detect(path: String) throws -> AnnotationForm {
    try TextFile.requirePlain(path)
    do {
      try TextFile.forEachLine(path: path) { line in
        let bytes = line.drop { $0 == 0x20 || (0x09...0x0D).contains($0) }
        if let first = bytes.first { throw Found(form: form(of: bytes, first: first)) }
      }
    } catch let found as Found {
      return found.form
    }
    throw DataError("the file is empty", file: path, cure: "Make or download it again")
  }

  /// Returns the form that a line shows.
  ///
  /// A document may be one line of many megabytes, so memory holds one member of it at a time.
  private static func form(of line: Slice<UnsafeRawBufferPointer>, first: UInt8) -> AnnotationForm {
    switch first {
    case UInt8(ascii: "["): return .list
    case UInt8(ascii: "{"): break
    // A comment, which begins no table; the reader of JSON lines reports it.
    case UInt8(ascii: "/"), UInt8(ascii: "#"): return .lines
    default: return .table
    }
    var (hasSentences, hasObjectsOnly, isEmpty) = (false, true, true)
    let last = line.lastIndex { $0 != 0x20 && !(0x09...0x0D).contains($0) } ?? line.startIndex
    // A row with a comma behind it is a row; the comma is an error of its line.
    let object = line[last] == UInt8(ascii: ",") ? line[..<last] : line
    do {
      try JSON.members(of: UnsafeRawBufferPointer(rebasing: object)) { key, value in
        if key == "sentences", value.array != nil { hasSentences = true }
        if value.object == nil { hasObjectsOnly = false }
        isEmpty = false
      }
    } catch {
      // A row that was cut off is an error of its line. Only a document's first line ends in an
      // open bracket or a comma.
      return [UInt8(ascii: "{"), UInt8(ascii: "["), UInt8(ascii: ",")].contains(line[last])
        ? .document : .lines
    }
    return hasSentences || (hasObjectsOnly && !isEmpty) ? .document : .lines
  }
}
