import Formats
import Foundation

/// Moments within given videos, in the forms of their authors and of those who train on them.
///
/// The content tells which form a file has.
///
/// QVHighlights, and all four corpora as moment_detr and lighthouse keep them, a query a line:
///
///     {"qid": 2579, "query": "…", "vid": "…", "duration": 150, "relevant_windows": [[82, 150]],
///      "relevant_clip_ids": [41, 42], "saliency_scores": [[1, 1, 2], [1, 1, 3]]}
///
/// Charades-STA, in seconds:
///
///     3MSZA 24.3 30.4##person turn a light on.
///
/// ActivityNet Captions, in seconds, and TACoS, in frames:
///
///     {"v_uqiMw7tQ1Cc": {"duration": 55.15, "timestamps": [[0.28, 55.15]], "sentences": ["…"]}}
///     {"s17-d69.avi": {"fps": 29.4, "num_frames": 12438, "timestamps": [[224, 358]],
///                      "sentences": ["…"]}}
///
/// Times beside `fps` are seconds if a duration or fractions show it. A list of
/// `[video, duration, [start, end], sentence]` is read too.
///
/// Rows become `{desc_id, desc, vid_name, duration, ts: [[start, end], …]}`, with the saliencies
/// unchanged. In the last three forms, the k-th sentence of a video has the id `VIDEO_k`, as in
/// lighthouse's TACoS.
enum WindowAnnotation {
  /// - Parameter form: the form of the file.
  static func read(_ path: String, _ form: AnnotationForm, _ body: AnnotationFile.Handler) throws {
    switch form {
    case .lines, .list:
      var counts: [Name: Int] = [:]
      try JSONLines.read(path: path) { line, value in
        try body("line \(line)", Result { () throws(BadRow) in try row(value, &counts) })
      }
    case .document: try readVideos(path, body)
    case .table: try readText(path, body)
    }
  }

  /// Converts a row of QVHighlights' form; keeps one in the form of this program's stores as it is.
  private static func row(_ value: JSON, _ counts: inout [Name: Int]) throws(BadRow) -> JSONObject {
    if let list = value.array, list.count == 4 { return try row(list, &counts) }
    guard let row = value.object else { throw BadRow("is \(value.kind), not an object") }
    guard row["query"] != nil else {
      try checkDuration(row["duration"])
      return row
    }
    guard let id = row["qid"] else { throw BadRow("no \"qid\"") }
    _ = try StoreKey.checked(id, name: "qid")
    guard let video = row["vid"]?.string else { throw BadRow("no \"vid\"") }
    var made = try made(id: id, video: video, sentence: row["query"])
    if let duration = row["duration"], !duration.isNull {
      try checkDuration(duration)
      made["duration"] = duration
    }
    if let windows = row["relevant_windows"], !windows.isNull {
      guard windows.array?.first?.array != nil else {
        throw BadRow("\"relevant_windows\" is \(windows.shown), not a list of [start, end]")
      }
      made["ts"] = windows
    }
    for key in ["relevant_clip_ids", "saliency_scores"] { made[key] = row[key] }
    return made
  }

  private static func checkDuration(_ duration: JSON?) throws(BadRow) {
    guard let duration, !duration.isNull else { return }
    guard let seconds = duration.double, seconds > 0, TimeSpan.isTime(seconds) else {
      throw BadRow("\"duration\" is \(duration.shown), no length in seconds")
    }
  }

  private static func made(id: JSON, video: String, sentence: JSON?) throws(BadRow) -> JSONObject {
    guard let text = sentence?.string, !text.trimmingCharacters(in: .whitespacesAndNewlines).isEmpty else {
      throw BadRow("there is no sentence")
    }
    return ["desc_id": id, "desc": .string(text), "vid_name": .string(video)]
  }

  /// Converts a list `[video, duration, [start, end], sentence]`.
  private static func row(_ list: [JSON], _ counts: inout [Name: Int]) throws(BadRow) -> JSONObject {
    guard let video = list[0].string else { throw BadRow("does not begin with a video's name") }
    try checkDuration(list[1])
    let number = counts[Name(video), default: 0]
    counts[Name(video)] = number + 1
    var row = try made(id: .string("\(video)_\(number)"), video: video, sentence: list[3])
    row["duration"] = list[1]
    row["ts"] = [list[2]]
    return row
  }

  // MARK: ActivityNet Captions, TACoS

  private static func readVideos(_ path: String, _ body: AnnotationFile.Handler) throws {
    try JSON.readMembers(path: path) { key, video in
      let place = "video \"\(key)\""
      guard let spans = video["timestamps"]?.array, let sentences = video["sentences"]?.array,
        spans.count == sentences.count
      else {
        return try body(place, .failure(BadRow("has not a \"timestamps\" for each of its \"sentences\"")))
      }
      let rate: Double?
      switch Result(catching: { () throws(BadRow) in try frameRate(of: video, spans) }) {
      case .success(let found): rate = found
      case .failure(let error): return try body(place, .failure(error))
      }
      // Times in frames come with the name of a file, times in seconds with that of a video.
      let name = rate == nil ? key : VideoFileName.stem(of: key)
      let seconds = rate.flatMap { rate in video["num_frames"]?.double.map { $0 / rate } }
      let duration = seconds.flatMap { $0.isFinite ? JSON.double($0) : nil } ?? video["duration"]
      for (number, (span, sentence)) in zip(spans, sentences).enumerated() {
        let row = Result { () throws(BadRow) in
          var row = try made(id: .string("\(name)_\(number)"), video: name, sentence: sentence)
          try checkDuration(duration)
          row["duration"] = duration
          row["ts"] = [try moment(span, rate: rate)]
          return row
        }
        try body("\(place), sentence \(number)", row)
      }
    }
  }

  /// Returns the frame rate if a video's times are frames, or nil if they are seconds.
  ///
  /// Times are seconds if one has a fraction, or if all lie within a duration given in seconds.
  private static func frameRate(of video: JSON, _ spans: [JSON]) throws(BadRow) -> Double? {
    let times = spans.flatMap { $0.array ?? [] }.compactMap(\.double)
    let duration = video["duration"]?.double
    let isWhole = times.allSatisfy { $0 == $0.rounded() }
    guard let given = video["fps"], !given.isNull else {
      guard video["num_frames"] == nil || duration != nil || !isWhole else {
        throw BadRow("counts frames (\"num_frames\") and does not say how many a second has (\"fps\")")
      }
      return nil
    }
    if !isWhole { return nil }
    if let duration, let last = times.max(), last <= duration { return nil }
    guard let rate = given.double, rate > 0, rate.isFinite else { throw BadRow("\"fps\" is \(given.shown)") }
    return rate
  }

  private static func moment(_ span: JSON, rate: Double?) throws(BadRow) -> JSON {
    guard let rate else { return span }
    let times = span.array?.map(\.double) ?? []
    guard times.count == 2, let start = times[0], let end = times[1] else {
      throw BadRow("\(span.shown) is not a first and a last frame")
    }
    return [.double(start / rate), .double(end / rate)]
  }

  // MARK: Charades-STA

  private static func readText(_ path: String, _ body: AnnotationFile.Handler) throws {
    var counts: [Name: Int] = [:]
    var number = 0
    try TextFile.forEachLine(path: path) { bytes in
      number += 1
      let line = String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
      guard !line.isEmpty else { return }
      try body("line \(number)", Result { () throws(BadRow) in try row(line, &counts) })
    }
  }

  private static func row(_ line: String, _ counts: inout [Name: Int]) throws(BadRow) -> JSONObject {
    guard let mark = line.range(of: "##") else { throw BadRow("has no \"##\" before a sentence") }
    let words = line[..<mark.lowerBound].split { $0 == " " || $0 == "\t" }.map(String.init)
    guard words.count == 3, let start = Double(words[1]), let end = Double(words[2]) else {
      throw BadRow("does not begin with a video, a start and an end")
    }
    let name = Name(words[0])
    let number = counts[name] ?? 0
    counts[name] = number + 1
    var row = try made(
      id: .string("\(words[0])_\(number)"), video: words[0],
      sentence: .string(String(line[mark.upperBound...])))
    row["ts"] = [[.double(start), .double(end)]]
    return row
  }
}
