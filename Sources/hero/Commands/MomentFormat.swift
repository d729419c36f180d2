import ArgumentParser
import Formats
import Foundation
import Search
import Training

/// The formats in which `hero search` prints moments.
enum MomentFormat: String, CaseIterable, ExpressibleByArgument {
  case table, json, jsonl, csv, m3u, edl, fiftyone, via

  /// Whether the format describes the videos themselves and so has no place for cut moments.
  var isOfVideos: Bool { [.m3u, .edl, .fiftyone, .via].contains(self) }

  /// Whether the output is one document, so that several in a row are invalid.
  var isDocument: Bool { self == .fiftyone || self == .via }

  /// Returns the output for an answer.
  /// - Parameters:
  ///   - answer: the moments as `--json` prints them.
  ///   - isFirst: whether this is the first answer printed.
  /// - Throws: `DataError` for a format of players if no moment has a file.
  func text(_ query: String, _ moments: [FoundMoment], answer: JSON, isFirst: Bool) throws -> String {
    switch self {
    case .table: Self.table(moments).rendered() + "\n"
    case .json: answer.encoded(style: .python) + "\n"
    case .jsonl: MomentRows(query, moments, answer: answer).lines
    case .csv: (isFirst ? MomentRows.header : "") + MomentRows(query, moments, answer: answer).csv
    case .m3u: try Playlist.m3u(moments) + "\n"
    case .edl: try Playlist.edl(moments) + "\n"
    case .fiftyone: TemporalDetections.json(query, moments).encoded(style: .pretty) + "\n"
    case .via: ViaProject.json(query, moments).encoded(style: .pretty) + "\n"
    }
  }

  private static func table(_ moments: [FoundMoment]) -> MetricsTable {
    var table = MetricsTable(headings: ["video", "from", "to", "score", "said there"])
    table.textColumns = [0, 4]
    table.rows = moments.map { moment in
      let said = moment.subtitle
      return [
        moment.video.name, clock(moment.start), clock(moment.end), score(moment),
        said.count > 60 ? said.prefix(59) + "…" : said,
      ]
    }
    return table
  }

  /// Returns the score, which for CLIP is the cosine, as it says more than the ranks.
  private static func score(_ moment: FoundMoment) -> String {
    guard let evidence = moment.evidence else { return String(format: "%.3g", moment.score) }
    return [evidence.cosine.map { String(format: "%.3f", $0) }, evidence.subtitleRank.map { _ in "said" }]
      .compactMap { $0 }.joined(separator: ", ")
  }

  /// Formats seconds: 3723.5 → `1:02:03.5`, 4.5 → `0:04.5`.
  static func clock(_ seconds: Double) -> String {
    let tenths = Int((max(0, seconds) * 10).rounded())
    let (hours, minutes, rest) = (tenths / 36_000, tenths / 600 % 60, Double(tenths % 600) / 10)
    return hours > 0
      ? String(format: "%d:%02d:%04.1f", hours, minutes, rest) : String(format: "%d:%04.1f", minutes, rest)
  }
}
