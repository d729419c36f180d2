import Foundation

/// A table for a terminal: names on the left, figures on the right under their headings.
public struct MetricsTable: Equatable, Sendable {
  public enum Style: Sendable {
    /// Lines of box-drawing characters.
    case boxed
    /// Spaces only, for logs and files.
    case plain
  }

  public var title: String?
  public var headings: [String]
  public var rows: [[String]]
  /// The columns aligned left; the others are aligned right.
  public var textColumns: Set<Int> = [0]

  /// - Parameter headings: one per column.
  public init(title: String? = nil, headings: [String], rows: [[String]] = []) {
    self.title = title
    self.headings = headings
    self.rows = rows
  }

  /// Adds a row of figures, two places each; nil leaves its place empty.
  public mutating func add(_ name: String, _ figures: [Double?]) {
    rows.append([name] + figures.map { $0.map { String(format: "%.2f", $0) } ?? "" })
  }

  /// The table as text without a last line break.
  public func rendered(_ style: Style = .boxed) -> String {
    let widths = headings.indices.map { column in
      ([headings] + rows).map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
    }
    let lines: [String]
    switch style {
    case .plain:
      lines = ([headings] + rows).map { trimmingEnd(cells($0, widths).joined(separator: "  ")) }
    case .boxed:
      let bars = widths.map { String(repeating: "─", count: $0 + 2) }
      lines =
        [
          "┌" + bars.joined(separator: "┬") + "┐", boxed(headings, widths),
          "├" + bars.joined(separator: "┼") + "┤",
        ]
        + rows.map { boxed($0, widths) } + ["└" + bars.joined(separator: "┴") + "┘"]
    }
    return ((title.map { [$0] } ?? []) + lines).joined(separator: "\n")
  }

  private func boxed(_ row: [String], _ widths: [Int]) -> String {
    "│ " + cells(row, widths).joined(separator: " │ ") + " │"
  }

  private func cells(_ row: [String], _ widths: [Int]) -> [String] {
    widths.enumerated().map { column, width in
      let text = column < row.count ? row[column] : ""
      let space = String(repeating: " ", count: width - text.count)
      return textColumns.contains(column) ? text + space : space + text
    }
  }

  private func trimmingEnd(_ line: String) -> String {
    String(line.reversed().drop { $0 == " " }.reversed())
  }
}

extension MetricsTable {
  /// The figures of a retrieval evaluation, from the reference's names: `…/VCMR_0.5-r1`, `…/VR_r10`.
  ///
  /// One row per ranking and IoU (and query type, where there are types), one column per recall.
  public static func retrieval(_ metrics: [String: Double], title: String? = nil) -> MetricsTable {
    var recalls: Set<Int> = []
    var rows: [RetrievalRow: [Int: Double]] = [:]
    for (name, value) in metrics {
      guard let (row, recall) = RetrievalRow.parse(name) else { continue }
      recalls.insert(recall)
      rows[row, default: [:]][recall] = value
    }
    let columns = recalls.sorted()
    var table = MetricsTable(title: title, headings: [""] + columns.map { "R@\($0)" })
    for (row, figures) in rows.sorted(by: { $0.key < $1.key }) {
      table.add(row.label, columns.map { figures[$0] })
    }
    return table
  }
}

extension MetricsTable {
  /// One row per source, one column per measure that any of them has, in the order in which measures first come up.
  static func measures(
    _ sources: [(name: String, measures: [(name: String, value: Double)])], title: String
  ) -> MetricsTable {
    let columns = sources.flatMap(\.measures).map(\.name).reduce(into: [String]()) { columns, name in
      if !columns.contains(name) { columns.append(name) }
    }
    var table = MetricsTable(title: title, headings: [""] + columns)
    for (name, measures) in sources {
      table.rows.append(
        [name]
          + columns.map { column in
            measures.first { $0.name == column }.map { String(format: "%.3f", $0.value) } ?? ""
          })
    }
    return table
  }
}

/// What one line of a retrieval table is about.
private struct RetrievalRow: Hashable, Comparable {
  let ranking: String
  let type: String
  let overlap: String
  /// The threshold of non-maximum suppression, if it was used.
  let suppression: String

  var label: String {
    let kind = ["v": " (video)", "t": " (text)", "vt": " (both)"][type] ?? ""
    return ranking + kind + (overlap.isEmpty ? "" : " IoU \(overlap)")
      + (suppression.isEmpty ? "" : " NMS \(suppression)")
  }

  private var rank: [Int] {
    [
      suppression.isEmpty ? 0 : 1, ["", "v", "t", "vt"].firstIndex(of: type) ?? 4,
      ["VCMR", "SVMR", "VR"].firstIndex(of: ranking) ?? 3,
    ]
  }

  static func < (a: RetrievalRow, b: RetrievalRow) -> Bool {
    a.rank == b.rank
      ? (a.overlap, a.suppression) < (b.overlap, b.suppression) : a.rank.lexicographicallyPrecedes(b.rank)
  }

  /// `valid_val_SVMR_by_type_nms_0.5/SVMR_by_type_vt-0.7-r100` and the like.
  static func parse(_ name: String) -> (RetrievalRow, recall: Int)? {
    let parts = name.split(separator: "/")
    let match = parts.last?.wholeMatch(
      of: /(VCMR|SVMR|VR)(?:_by_type)?_(?:(vt|v|t)-)?(?:([0-9.]+)-)?r([0-9]+)/)
    guard let match, let recall = Int(match.4) else { return nil }
    let suppression = parts.dropLast().last?.firstMatch(of: /_nms_([0-9.]+)$/)
    let row = RetrievalRow(
      ranking: String(match.1), type: match.2.map(String.init) ?? "", overlap: match.3.map(String.init) ?? "",
      suppression: suppression.map { String($0.1) } ?? "")
    return (row, recall)
  }
}
