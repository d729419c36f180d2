import Formats
import Foundation

/// VIOLIN as its authors publish it (github.com/jimmy646/violin, `violin_annotation.json`): one
/// object of clips,
///
///     {clip: {"file", "split", "statement": [[true statement, false statement], …], "sub", …}}
///
/// A clip's k-th pair becomes the statements `<clip>-<k>-1` (true) and `<clip>-<k>-0` (false).
struct ViolinAnnotation {
  /// The split to take; nil for all.
  let split: String?

  func read(_ path: String, _ body: AnnotationFile.Handler) throws {
    var splits: Set<Name> = []
    try JSON.readMembers(path: path) { clip, value in
      let ownSplit = value["split"]?.string
      if let ownSplit { splits.insert(Name(ownSplit)) }
      if let split, !(ownSplit?.hasSameBytes(as: split) ?? false) { return }
      guard let pairs = value["statement"]?.array, !pairs.isEmpty else {
        return try body("clip \"\(clip)\"", .failure(BadRow("no \"statement\"")))
      }
      let video = value["file"]?.string ?? clip
      for (index, pair) in pairs.enumerated() {
        try Self.read(pair, index: index, video: video, body)
      }
    }
    if let split, !splits.contains(split) {
      throw DataError(
        "no clip of the split \"\(split)\"", file: path,
        cure: "It has: \(splits.sorted().map(\.text).joined(separator: ", "))")
    }
  }

  /// Reads a pair, which is usable only as a whole: training takes both of its statements.
  private static func read(_ pair: JSON, index: Int, video: String, _ body: AnnotationFile.Handler) throws {
    let place = "clip \"\(video)\", pair \(index)"
    let texts = (pair.array ?? []).compactMap(\.string)
    guard texts.count == 2, pair.array?.count == 2,
      texts.allSatisfy({ !$0.trimmingCharacters(in: .whitespacesAndNewlines).isEmpty })
    else {
      return try body(place, .failure(BadRow("not a true and a false statement")))
    }
    for (text, label) in zip(texts, [true, false]) {
      let row: JSONObject = [
        "desc_id": .string("\(video)-\(index)-\(label ? 1 : 0)"), "vid_name": .string(video),
        "label": .bool(label), "desc": .string(text),
      ]
      try body(place, .success(row))
    }
  }
}
