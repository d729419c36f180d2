import Formats

/// Moments as rows of a table for other programs: one moment a row, all with the same columns.
public struct MomentRows: Sendable {
  /// The columns in the order of CSV.
  ///
  /// Values that a moment lacks are null, and empty in CSV. Only moments that were cut out have
  /// `cut` and `cut_begins`. Only those of a CLIP index have `cosine` to `subtitle_rank`.
  /// index of CLIP's.
  public static let columns = [
    "query", "rank", "video", "number", "start", "end", "score", "subtitle", "duration", "file", "cosine",
    "picture_rank", "bm25", "subtitle_rank", "cut", "cut_begins",
  ]

  private let rows: [JSONObject]

  /// Creates the rows of an answer.
  ///
  /// - Parameters:
  ///   - moments: best first.
  ///   - answer: the same moments as `hero search --json` prints them.
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

  /// The rows as JSON lines.
  public var lines: String { rows.map { JSON.object($0).encoded(style: .python) + "\n" }.joined() }

  /// The rows as CSV after RFC 4180, in UTF-8; lines end with CR and LF.
  public var csv: String {
    rows.map { Self.line($0.values.map(Self.field)) }.joined()
  }

  /// The first line of a CSV file.
  public static var header: String { line(columns) }

  private static func line(_ fields: [String]) -> String { fields.joined(separator: ",") + "\r\n" }

  private static func field(_ value: JSON) -> String {
    guard let text = value.string else { return value.isNull ? "" : value.encoded() }
    // Compared by scalars, as CR and LF together are one character.
    guard text.unicodeScalars.contains(where: { "\",\r\n".unicodeScalars.contains($0) }) else { return text }
    return "\"" + text.replacing("\"", with: "\"\"") + "\""
  }
}
