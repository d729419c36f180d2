import Formats
import Foundation

/// How2R and How2QA as their authors publish them (github.com/ych133/How2R-and-How2QA): CSV without
/// a header.
///
///     z0r8QCIuHaM,[180:240],[180.0:187.07],The woman placed the design on the fabric
///     NOuQuofjk44,[7.2:18.0],10,12,16,how many knife is there?,1
///
/// The fields are video, clip, moment, query; and video, moment, three wrong answers, question,
/// right answer. Times count from the start of the whole video. The features of HowTo100M are cut
/// into pieces `<vid>.<k>`, so rows name the piece and give times in it.
struct How2Annotation {
  let task: TextStoreTask
  /// The length of a piece in seconds; 0 if videos were not cut.
  let clipInterval: Double

  func read(_ path: String, _ body: AnnotationFile.Handler) throws {
    var index = 0
    try CSVRecords.read(path: path) { line, record in
      let row = record.flatMap { fields in
        Result { () throws(BadRow) in
          task == .how2r ? try query(fields, id: index) : try question(fields, id: index)
        }
      }
      index += 1
      try body("line \(line)", row)
    }
  }

  private func query(_ fields: [String], id: Int) throws(BadRow) -> JSONObject {
    guard fields.count == 4 else {
      throw BadRow("has \(fields.count) fields, not video, clip, moment, query")
    }
    let clip = try Self.span(fields[1], name: "clip")
    let moment = try Self.span(fields[2], name: "moment")
    guard moment.lowerBound >= clip.lowerBound, moment.lowerBound < clip.upperBound else {
      throw BadRow("the moment \(fields[2]) does not start in the clip \(fields[1])")
    }
    let piece = try piece(of: fields[0], at: clip.lowerBound)
    return [
      "vid_name": .string(piece.name),
      "duration": .double(clipInterval > 0 ? Self.rounded(clip.upperBound - piece.start) : clip.upperBound),
      "ts": .array([moment.lowerBound, moment.upperBound].map { .double(Self.rounded($0 - piece.start)) }),
      "desc": .string(try Self.text(fields[3], name: "query")), "desc_id": .int(id),
    ]
  }

  /// Makes the row of a question; the right answer's place rotates with the rows, to reveal
  /// nothing.
  private func question(_ fields: [String], id: Int) throws(BadRow) -> JSONObject {
    guard fields.count == 7 else {
      throw BadRow("has \(fields.count) fields, not video, moment, 3 wrong answers, question, right answer")
    }
    let moment = try Self.span(fields[1], name: "moment")
    let piece = try piece(of: fields[0], at: moment.lowerBound)
    var answers: [String] = []
    for field in fields[2...4] { answers.append(try Self.text(field, name: "answer")) }
    let place = id % 4
    answers.insert(try Self.text(fields[6], name: "right answer"), at: place)
    var row: JSONObject = ["qid": .int(id), "q": .string(try Self.text(fields[5], name: "question"))]
    for (index, answer) in answers.enumerated() { row["a\(index)"] = .string(answer) }
    row["answer_idx"] = .int(place)
    row["vid_name"] = .string(piece.name)
    let times = [moment.lowerBound, moment.upperBound].map {
      PythonNumber.repr(Self.rounded($0 - piece.start))
    }
    row["ts"] = .string(times.joined(separator: "-"))
    return row
  }

  /// Returns the piece of a video that holds a second, and where the piece starts.
  private func piece(of video: String, at seconds: Double) throws(BadRow) -> (name: String, start: Double) {
    let video = video.trimmingCharacters(in: .whitespaces)
    guard !video.isEmpty else { throw BadRow("no video") }
    guard clipInterval > 0 else { return (video, 0) }
    let index = (seconds / clipInterval).rounded(.down)
    guard index < 1e6 else { throw BadRow("the moment starts at \(seconds) s") }
    return ("\(video).\(Int(index))", index * clipInterval)
  }

  private static func text(_ field: String, name: String) throws(BadRow) -> String {
    guard !field.trimmingCharacters(in: .whitespacesAndNewlines).isEmpty else {
      throw BadRow("the \(name) is empty")
    }
    return field
  }

  /// Parses `[start:end]` in seconds.
  private static func span(_ field: String, name: String) throws(BadRow) -> Range<Double> {
    guard field.utf8.count <= 200 else {
      throw BadRow("the \(name) has \(field.utf8.count) bytes, not [start:end]")
    }
    let text = field.trimmingCharacters(in: .whitespaces)
    let parts = text.dropFirst().dropLast().split(separator: ":", omittingEmptySubsequences: false)
    guard text.hasPrefix("["), text.hasSuffix("]"), parts.count == 2, let start = Double(parts[0]),
      let end = Double(parts[1]), start >= 0, start < end, end.isFinite
    else { throw BadRow("the \(name) is \"\(field)\", not [start:end] in seconds") }
    return start..<end
  }

  /// Rounds a difference of times to milliseconds, to remove the noise of the subtraction.
  private static func rounded(_ seconds: Double) -> Double { (seconds * 1000).rounded() / 1000 }
}
