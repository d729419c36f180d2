import Formats
import Foundation

/// DiDeMo as its authors publish it (github.com/LisaAnne/LocalizingMoments): a list of
///
///     {"annotation_id", "description", "video", "num_segments", "times": [[first, last], …],
///      "dl_link"}
///
/// in which several annotators give the first and last segment, each of 5 s. Rows name the video
/// without its file extension, as features are named, and have one moment per annotator.
enum DiDeMoAnnotation {
  private static let segment = 5.0

  static func read(_ path: String, _ body: AnnotationFile.Handler) throws {
    guard let rows = try JSON.read(path: path).array else {
      throw DataError("not a list of moments", file: path, cure: "Give DiDeMo's JSON as published")
    }
    for (index, row) in rows.enumerated() {
      try body("row \(index + 1)", Result { () throws(BadRow) in try converted(row) })
    }
  }

  private static func converted(_ value: JSON) throws(BadRow) -> JSONObject {
    guard let row = value.object else { throw BadRow("is \(value.kind), not an object") }
    guard let video = row["video"]?.string, !VideoFileName.stem(of: video).isEmpty else {
      throw BadRow("no \"video\"")
    }
    guard let text = row["description"]?.string,
      !text.trimmingCharacters(in: .whitespacesAndNewlines).isEmpty
    else { throw BadRow("no \"description\"") }
    guard let id = row["annotation_id"] else { throw BadRow("no \"annotation_id\"") }
    _ = try StoreKey.checked(id, name: "annotation_id")
    guard let segments = row["num_segments"]?.whole, (1...100_000).contains(segments) else {
      throw BadRow("\"num_segments\" is \((row["num_segments"] ?? .null).shown)")
    }
    var moments: [JSON] = []
    for time in row["times"]?.array ?? [] {
      guard let pair = time.array, pair.count == 2, let first = pair[0].whole, let last = pair[1].whole,
        first >= 0, first <= last, last < segments
      else { throw BadRow("\(time.shown) is not a first and a last of \(segments) segments") }
      moments.append([.double(Double(first) * segment), .double(Double(last + 1) * segment)])
    }
    guard !moments.isEmpty else { throw BadRow("no \"times\"") }
    return [
      "vid_name": .string(VideoFileName.stem(of: video)), "duration": .double(Double(segments) * segment),
      "ts": .array(moments), "desc": .string(text), "desc_id": id,
    ]
  }
}
