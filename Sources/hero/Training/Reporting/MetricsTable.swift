import Formats
import Foundation

/// A table for a terminal: names on the left, figures on the right under their headings.
public struct MetricsTable: Equatable, Sendable {
  /// A line above the headings; nil for none.
  public var title: String?
  /// The headings, one per column.
  public var headings: [String]
  /// The rows, each with one cell of text per column.
  public var rows: [[String]]
  /// The columns that are aligned left; the others are aligned right.
  public var textColumns: Set<Int> = [0]

  /// - Parameter headings: one per column.
  public init(title: String? = nil, headings: [String], rows: [[String]] = []) {
    self.title = title
    self.headings = headings
    self.rows = rows
  }

  /// Adds a row of figures with two decimals; nil leaves its cell empty.
  public mutating func add(_ name: String, _ figures: [Double?]) {
    rows.append([name] + figures.map { $0.map { String(format: "%.2f", $0) } ?? "" })
  }

  /// Renders the table as text with box-drawing characters, without a trailing line break.
  public func rendered() -> String {
    // A cell is one line.
    let rows = rows.map { $0.map { $0.printable.replacing(/[\n\t]/, with: " ") } }
    let widths = headings.indices.map { column in
      ([headings] + rows).map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
    }
    let bars = widths.map { String(repeating: "─", count: $0 + 2) }
    let head = ["┌" + bars.joined(separator: "┬") + "┐", boxed(headings, widths)]
    let body = ["├" + bars.joined(separator: "┼") + "┤"] + rows.map { boxed($0, widths) }
    let lines = head + body + ["└" + bars.joined(separator: "┴") + "┘"]
    return ((title.map { [$0] } ?? []) + lines).joined(separator: "\n")
  }

  private func boxed(_ row: [String], _ widths: [Int]) -> String {
    let cells = widths.enumerated().map { column, width in
      let text = column < row.count ? row[column] : ""
      let space = String(repeating: " ", count: width - text.count)
      return textColumns.contains(column) ? text + space : space + text
    }
    return "│ " + cells.joined(separator: " │ ") + " │"
  }
}

extension JSON {
  /// Makes an object of figures, keyed by their names.
  public init(figures: [(name: String, value: Double)]) {
    self = .object(JSONObject(figures.map { (key: $0.name, value: .double($0.value)) }))
  }
}

extension MetricsTable {
  /// Makes a table with a row per source and a column per measure that any source has.
  ///
  /// The columns stand in the order in which the measures first appear.
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
