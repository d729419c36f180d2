import Formats
import Foundation

/// MSR-VTT as its authors publish it: `videodatainfo` JSON,
///
///     {"videos": [{"video_id", "split", "start time", "end time", …}],
///      "sentences": [{"sen_id", "video_id", "caption"}]}
///
/// and the test list of the 1k-A split, a CSV with the header `key,vid_key,video_id,sentence`.
struct MSRVTTAnnotation {
  /// The split to take; nil for all.
  let split: String?

  func read(_ path: String, _ body: AnnotationFile.Handler) throws {
    let document = try JSON.read(path: path)
    guard let videos = document["videos"]?.array, let sentences = document["sentences"]?.array else {
      throw DataError(
        "no \"videos\" and \"sentences\" in it", file: path, cure: "Give videodatainfo.json as published")
    }
    var information: [Name: (split: String?, duration: Double?)] = [:]
    for (index, video) in videos.enumerated() {
      guard let id = video["video_id"]?.string else {
        try body("video \(index + 1)", .failure(BadRow("no \"video_id\"")))
        continue
      }
      guard information[id] == nil else {
        try body("video \(index + 1)", .failure(BadRow("the video \"\(id)\" occurs twice")))
        continue
      }
      let times = [video["start time"], video["end time"]].compactMap { $0?.double }
      let duration = times.count == 2 && times[1] > times[0] ? times[1] - times[0] : nil
      information[id] = (video["split"]?.string, duration)
    }
    let splits = Set(information.values.compactMap { $0.split.map { Name($0) } })
    if let split, !splits.contains(split) {
      throw DataError(
        "no video of the split \"\(split)\"", file: path,
        cure: "It has: \(splits.sorted().map(\.text).joined(separator: ", "))")
    }
    for (index, sentence) in sentences.enumerated() {
      if let split, let id = sentence["video_id"]?.string, information[id]?.split != split { continue }
      let row = Result { () throws(BadRow) in
        guard let id = sentence["video_id"]?.string else { throw BadRow("no \"video_id\"") }
        guard let video = information[id] else { throw BadRow("\"\(id)\" is not among the videos") }
        return try Self.row(
          id: sentence["sen_id"], video: id, text: sentence["caption"]?.string, duration: video.duration)
      }
      try body("sentence \(index + 1)", row)
    }
  }

  static func readTable(_ path: String, _ body: AnnotationFile.Handler) throws {
    var header: [String]?
    try CSVRecords.read(path: path) { line, record in
      guard let columns = header else {
        header = try tableHeader(try? record.get(), path: path)
        return
      }
      let row = record.flatMap { fields in
        Result { () throws(BadRow) in
          guard fields.count == columns.count else {
            throw BadRow("has \(fields.count) fields, not \(columns.count)")
          }
          let named = Dictionary(zip(columns, fields)) { first, _ in first }
          return try Self.row(
            id: named["key"].map { .string($0) } ?? .int(line - 2), video: named["video_id"] ?? "",
            text: named["sentence"], duration: nil)
        }
      }
      try body("line \(line)", row)
    }
  }

  private static func tableHeader(_ fields: [String]?, path: String) throws -> [String] {
    guard let columns = fields?.map({ $0.trimmingCharacters(in: .whitespaces) }),
      columns.contains("video_id"),
      columns.contains("sentence")
    else {
      throw DataError(
        "no header with video_id and sentence", file: path, place: "line 1",
        cure: "Give MSRVTT_JSFUSION_test.csv of the 1k-A split, or videodatainfo.json with --split")
    }
    guard Set(columns.map { Name($0) }).count == columns.count else {
      throw DataError(
        "two columns have one name: \(columns.joined(separator: ", "))", file: path, place: "line 1",
        cure: "Name each column once")
    }
    return columns
  }

  private static func row(
    id: JSON?, video: String, text: String?, duration: Double?
  ) throws(BadRow) -> JSONObject {
    guard let id else { throw BadRow("no id") }
    _ = try StoreKey.checked(id, name: "id")
    guard !video.isEmpty else { throw BadRow("no video") }
    guard let text, !text.trimmingCharacters(in: .whitespacesAndNewlines).isEmpty else {
      throw BadRow("the sentence is empty")
    }
    var row: JSONObject = [
      "sen_id": id, "clip_name": .string(video), "vid_name": .string(video), "desc": .string(text),
    ]
    if let duration { row["duration"] = .double((duration * 1000).rounded() / 1000) }
    return row
  }
}
