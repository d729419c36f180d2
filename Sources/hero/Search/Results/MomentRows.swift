import Formats

/// Moments as rows of a table, which other programs read: one moment a row, all with the same
/// columns.
public struct MomentRows: Sendable {
  /// In the order of CSV. Those that a moment does not have are null, in CSV empty.
  ///
  /// `cut` and `cut_begins` are of moments that were cut out, `cosine` to `subtitle_rank` of an
  /// index of CLIP's.
  public static let columns = [
    "query", "rank", "video", "number", "start", "end", "score", "subtitle", "duration", "file", "cosine",
    "picture_rank", "bm25", "subtitle_rank", "cut", "cut_begins",
  ]

  private let rows: [JSONObject]

  /// - Parameters:
  ///   - moments: the best first.
  ///   - answer: the same as `hero search --json` prints them.
  public init(_ query: String, _ moments: [FoundMoment], answer: JSON) {
    rows = zip(moments, answer["moments"]?.array ?? []).enumerated().map { place, pair in
      let (moment, json) = pair
      return JSONObject(
        Self.columns.map { column in
          switch column {
          case "query": (column, .string(query))
          case "rank": (column, .int(place + 1))
          case "file": (column, moment.video.file.map { .string($0.path) } ?? .null)
          default: (column, json[column] ?? .null)
          }
        })
    }
  }

  /// A JSON object a line.
  public var lines: String { rows.map { JSON.object($0).encoded(style: .python) + "\n" }.joined() }

  /// As RFC 4180 has it, in UTF-8; lines end with CR and LF.
  public var csv: String {
    rows.map { Self.line($0.values.map(Self.field)) }.joined()
  }

  /// What a CSV file begins with.
  public static var header: String { line(columns) }

  private static func line(_ fields: [String]) -> String { fields.joined(separator: ",") + "\r\n" }

  private static func field(_ value: JSON) -> String {
    guard let text = value.string else { return value.isNull ? "" : value.encoded() }
    // By scalars: CR and LF together are one character.
    guard text.unicodeScalars.contains(where: { "\",\r\n".unicodeScalars.contains($0) }) else { return text }
    return "\"" + text.replacing("\"", with: "\"\"") + "\""
  }
}
