import Formats
import Foundation
import Text

/// Query, question-answering and statement stores (`prepro_query.py`).
extension TextStoreBuilder {
  /// The entry of one row, and its values in the side files.
  private struct QueryEntry {
    var id: String
    var fields: JSONObject
    /// The number of tokens; for a question, that of the question and of each answer.
    var length: JSON
    var video: String?
    /// Whether one of the row's texts is blank.
    var isWordless: Bool
    /// Whether the row names the right answer, moment or label.
    var hasTruth: Bool
  }

  /// The seconds by which a moment may exceed its video, because durations are rounded.
  static let looseSeconds = 2.0

  func buildQueries(
    in folder: OutputFolder, with tokenizer: Tokenizer, report: inout TextStoreReport,
    onSkip: (String) -> Void
  ) throws {
    try writeMeta(to: folder, tokenizer, task: task.rawValue)
    let entries = try TextEntryWriter(folder: folder.partial, compression: compression)
    let lengths = try JSONObjectFile(path: folder.file("id2len.json"))
    let videos = try JSONObjectFile(path: folder.file("query2video.json"))
    let rows = try JSONLinesFile(path: folder.file("query_data.jsonl"))
    var withoutVideo = 0
    var names = SpelledNames()
    var (wordless, late, instant, truthless) = ([String](), [String](), [String](), [String]())
    var moments = (all: 0, within1: 0)
    var counted = (known: 0, first: 0, beyond: 0)
    try forEachRow(report: &report, onSkip: onSkip) { row in
      if let (index, count) = self.answer(of: row) {
        counted.known += 1
        if index == 0 { counted.first += 1 }
        if index == count { counted.beyond += 1 }
      }
      let entry = try self.entry(of: row, with: tokenizer)
      try entries.put(entry.id, entry.fields)
      try lengths.append(entry.id, entry.length)
      try rows.append(row)
      if entry.isWordless { wordless.append(entry.id) }
      let spans = Self.spans(of: row)
      if let end = spans.map(\.end).max(), let duration = row["duration"]?.double, duration > 0 {
        moments.all += 1
        if end > duration + Self.looseSeconds { late.append(entry.id) }
        if end <= 1, duration >= Self.fewSeconds { moments.within1 += 1 }
      }
      if spans.contains(where: { $0.start == $0.end }) { instant.append(entry.id) }
      if !entry.hasTruth { truthless.append(entry.id) }
      names.add(entry.id, entry.video)
      if let video = entry.video {
        try videos.append(entry.id, .string(video))
      } else {
        withoutVideo += 1
      }
    }
    guard counted.beyond == 0 || counted.first > 0 || counted.known < Self.fewAnswers else {
      throw DataError(
        "counts answers from 1: \(counted.beyond) of \(counted.known) rows have the number of answers, none has 0",
        file: annotation, cure: "Count them from 0, as TVQA does")
    }
    try entries.finish()
    try lengths.finish()
    try videos.finish()
    try rows.finish()
    report.notes += names.notes(in: annotation)
    if let first = wordless.first {
      report.notes.append(
        "\(wordless.count) rows, the first \"\(first)\", have a text without words; they are kept")
    }
    if let first = late.first {
      report.notes.append(
        "\(late.count) rows, the first \"\(first)\", have a moment that ends after their video does "
          + "(\"duration\"); they are kept")
    }
    if let first = instant.first {
      report.notes.append(
        "\(instant.count) rows, the first \"\(first)\", have a moment that ends when it begins; they are kept"
      )
    }
    if moments.within1 == moments.all, moments.all >= Self.fewAnswers {
      report.notes.append(
        "the moments of all \(moments.all) rows end within a second, of videos that last \(Int(Self.fewSeconds)) s and "
          + "more. Times are seconds: multiply fractions of a video by its duration")
    }
    if let first = truthless.first, truthless.count < report.rows {
      report.notes.append(
        "\(truthless.count) of \(report.rows) rows, the first \"\(first)\", do not tell what is right, the others do; "
          + "they are kept")
    }
    if withoutVideo > 0 {
      try writeVideoIDs(to: folder, report: &report, missing: withoutVideo)
    }
  }

  /// The fewest answers whose numbering is checked, and the fewest moments whose unit is checked.
  private static let fewAnswers = 5
  /// The shortest duration, in seconds, of a video whose moments should not all end within a
  /// second.
  private static let fewSeconds = 5.0

  /// Returns the number that a row gives for its answer, valid or not, and the number of answers.
  private func answer(of row: JSONObject) -> (index: Int, count: Int)? {
    let (key, count) =
      switch task.content {
      case .questions(let answers): ("answer_idx", answers)
      case .futures: ("answer", 2)
      default: ("", 0)
      }
    guard count > 0, let index = row[key]?.whole ?? row[key]?.string.flatMap({ Int($0) }) else { return nil }
    return (index, count)
  }

  private static func isBlank(_ text: String) -> Bool { text.utf8.allSatisfy { $0 <= 0x20 } }

  /// Returns the moments of a row.
  private static func spans(of row: JSONObject) -> [TimeSpan] {
    guard let ts = row["ts"] else { return [] }
    return TimeSpan(ts).map { [$0] } ?? (ts.array ?? []).compactMap { TimeSpan($0) }
  }

  private func entry(of row: JSONObject, with tokenizer: Tokenizer) throws -> QueryEntry {
    switch task.content {
    case .questions(let answers):
      if row["a\(answers)"].map({ !$0.isNull }) == true {
        throw BadRow("has more than \(answers) answers (\"a\(answers)\")")
      }
      return try choiceEntry(
        of: row, id: row.id("qid"), texts: ["q"].map(row.text) + (0..<answers).map { try row.text("a\($0)") },
        target: place(row["answer_idx"], "answer_idx", of: answers), with: tokenizer)
    case .futures: return try futuresEntry(of: row, with: tokenizer)
    default: return try queryEntry(of: row, with: tokenizer)
    }
  }

  /// Makes the entry of a query with its moment, a caption with its video, or a statement with its
  /// label.
  private func queryEntry(of row: JSONObject, with tokenizer: Tokenizer) throws -> QueryEntry {
    let id =
      switch task {
      case .msrvtt: try row.id("sen_id", "retrieval_key", "desc_id")
      case .violin: try row.id("desc_id", "example_id")
      default: try row.id("desc_id")
      }
    // VALUE's rows for VIOLIN hold their text under "statement".
    let isValue = task == .violin && row["desc"] == nil && row["statement"] != nil
    let text = try row.text(isValue ? "statement" : "desc")
    let ids = tokenizer.encodeQuery(text)
    let video = try row.optionalText("vid_name")
    if let video { try StoreKey.checked(video, name: "vid_name") }
    let target = try target(of: row)
    if task == .violin || task == .msrvtt, video == nil { throw BadRow("no \"vid_name\"") }
    var fields = row
    if let video { fields["vid"] = .string(video) }
    fields["input_ids"] = .integers(ids)
    fields["target"] = target
    fields["qid"] = .string(id)
    return QueryEntry(
      id: id, fields: fields, length: .int(ids.count), video: video, isWordless: Self.isBlank(text),
      hasTruth: !target.isNull)
  }

  private func target(of row: JSONObject) throws -> JSON {
    let key = row["label"] == nil && row["answer"] != nil ? "answer" : "label"
    let target = (task == .violin ? row[key] : row["ts"]) ?? .null
    if target.isNull { return target }
    if task == .violin {
      if target.bool != nil { return target }
      guard let truth = target.whole, truth == 0 || truth == 1 else {
        throw BadRow("\"\(key)\" is \(target.shown), neither true nor false")
      }
      return .int(truth)
    } else {
      try Moment.checkOneOrMore(target, name: "ts")
    }
    return target
  }

  /// Makes the entry of two events, one of which follows the moment (VLEP).
  private func futuresEntry(of row: JSONObject, with tokenizer: Tokenizer) throws -> QueryEntry {
    guard let events = row["events"]?.array, events.count == 2 else { throw BadRow("no two \"events\"") }
    let texts = try events.map { event in
      guard let text = event.string else { throw BadRow("an event is \(event.kind), not text") }
      return text
    }
    return try choiceEntry(
      of: row, id: row.id("example_id"), texts: texts, target: place(row["answer"], "answer", of: 2),
      with: tokenizer)
  }

  /// Makes the entry of texts to choose from, with their moment and the question before them, if
  /// any.
  private func choiceEntry(
    of row: JSONObject, id: String, texts: [String], target: JSON, with tokenizer: Tokenizer
  ) throws -> QueryEntry {
    let ids = texts.map(tokenizer.encodeQuery)
    let video = try row.text("vid_name")
    try StoreKey.checked(video, name: "vid_name")
    var fields = row
    fields["input_ids"] = .array(ids.map { .integers($0) })
    fields["vid"] = .string(video)
    fields["ts"] = try Moment.checkedOrNone(row["ts"], name: "ts")
    fields["target"] = target
    fields["qid"] = .string(id)
    return QueryEntry(
      id: id, fields: fields, length: .integers(ids.map(\.count)), video: video,
      isWordless: texts.contains(where: Self.isBlank), hasTruth: !target.isNull)
  }

  /// Returns the place of the right answer, or null.
  private func place(_ value: JSON?, _ key: String, of answers: Int) throws -> JSON {
    guard let value, !value.isNull else { return .null }
    guard let index = value.whole ?? value.string.flatMap({ Int($0) }), (0..<answers).contains(index) else {
      throw BadRow("\"\(key)\" is \(value.shown), not an answer from 0 to \(answers - 1)")
    }
    return .int(index)
  }

  /// Writes `video_ids.json`, the videos to search for queries that name none.
  private func writeVideoIDs(
    to folder: OutputFolder, report: inout TextStoreReport, missing: Int
  ) throws {
    let rows = "\(missing) \(missing == 1 ? "row does" : "rows do") not tell a video"
    guard let vid2durIdx else {
      report.notes.append("\(rows); with --vid2dur-idx the store would list the videos to search")
      return
    }
    let splits = try ListedVideo.splits(path: vid2durIdx)
    let file = URL(fileURLWithPath: annotation).lastPathComponent
    let named = splits.filter { file.contains($0.name) }.max { $0.name.count < $1.name.count }
    let wanted = split.flatMap { name in splits.first { $0.name == name } } ?? (split == nil ? named : nil)
    guard let chosen = wanted ?? (splits.count == 1 && split == nil ? splits.first : nil) else {
      throw DataError(
        "\(rows), and which of its splits they belong to is not clear", file: vid2durIdx,
        cure: "Give --split: \(splits.map(\.name).joined(separator: ", "))")
    }
    let ids = JSON.array(chosen.videos.map { .string($0.name) })
    try AtomicFile.write(ids.encoded(style: .python), to: folder.file("video_ids.json"))
    report.notes.append("\(rows): video_ids.json lists the \(chosen.videos.count) of \"\(chosen.name)\"")
  }
}
