import Formats
import Foundation

/// The table of a bench's history that a page shows.
///
/// It holds hero's newest figures on one machine. Where another program has a figure for the same
/// work and machine, the two stand side by side.
package struct BenchTable {
  private let rows: [Row]
  private let others: String?
  private let measured: BenchRecord

  private struct Row {
    let kind: BenchKind
    let own: BenchRecord
    let other: BenchRecord?
  }

  /// - Throws: `DataError` if the history holds no record of hero.
  package init(_ history: [BenchRecord]) throws {
    let own = history.filter { $0.program == "hero" }
    guard let newest = own.last else {
      throw DataError("holds no record of this program", cure: "Make one with 'hero bench --record'")
    }
    measured = newest
    // Only records with the newest one's machine, kernels, precision and commit.
    let here = own.filter {
      $0.machine == newest.machine && $0.kernels == newest.kernels && $0.precision == newest.precision
        && $0.commit == newest.commit
    }
    let elsewhere = history.filter { $0.program != "hero" && $0.machine == newest.machine }
    rows = BenchKind.allCases.compactMap { kind in
      here.last { $0.kind == kind }.map { record in
        Row(kind: kind, own: record, other: elsewhere.last { $0.kind == kind })
      }
    }
    others = elsewhere.last?.program
  }

  /// The Markdown: a line that says what was measured, then the table.
  package var markdown: String {
    var headings = ["", "hero", "of the products' peak", "peak memory"]
    if let others { headings = ["", others, "hero", "ratio", "of the products' peak", "peak memory"] }
    var lines = [
      "Commit `\(measured.commit)`, \(measured.date), \(measured.machine), \(measured.kernels), \(measured.precision):",
      "", line(headings), line(headings.map { _ in "---" }),
    ]
    for row in rows {
      let name = BenchKind.objectives.contains(row.kind) ? "`\(row.kind.rawValue)`" : row.kind.rawValue
      var cells = [name]
      let seconds = String(format: "%.2f s", row.own.seconds)
      if others != nil {
        cells.append(row.other.map { String(format: "%.1f s", $0.seconds) } ?? "")
        cells.append(seconds)
        cells.append(row.other.map { String(format: "%.1f", $0.seconds / row.own.seconds) } ?? "")
      } else {
        cells.append(seconds)
      }
      cells.append(row.own.fractionOfPeak.map { String(format: "%.0f %%", 100 * $0) } ?? "")
      cells.append(row.own.peakMemory.map { String(format: "%.1f GB", Double($0) / 1e9) } ?? "")
      lines.append(line(cells))
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private func line(_ cells: [String]) -> String {
    "|" + cells.map { $0.isEmpty ? " |" : " \($0) |" }.joined()
  }

  /// Replaces the text between a page's markers with the table.
  /// - Throws: `DataError` if the page lacks a marker or has the two in the wrong order.
  package func write(into path: String) throws {
    try PageSection(name: "bench", maker: "hero bench --table").write(markdown, into: path)
  }
}

extension BenchKind {
  /// The kinds that are pre-training objectives.
  static let objectives: Set<BenchKind> = [.mlm, .mfmNCE, .mffr, .fom, .vsm]
}
