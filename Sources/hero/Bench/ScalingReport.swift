import Foundation

/// The text of a page about scaling: a table and a plot for each axis.
package struct ScalingReport {
  private let series: [ScalingSeries]
  private let title: String

  /// - Parameter title: what was measured, where and when.
  package init(_ series: [ScalingSeries], title: String) { (self.series, self.title) = (series, title) }

  private func of(_ axis: ScalingSeries.Axis) -> [ScalingSeries] {
    series.filter { $0.axis == axis && !$0.points.isEmpty }
  }

  private func name(of axis: ScalingSeries.Axis, page: String) -> String { "\(page)-\(axis.rawValue).svg" }

  private static func heading(_ axis: ScalingSeries.Axis) -> String {
    switch axis {
    case .batch: "The batch grows"
    case .length: "The videos grow"
    case .threads: "More threads"
    case .corpus: "The corpus grows"
    }
  }

  /// - Parameter page: the page's name without its extension; the plots' file names begin with it.
  package func markdown(page: String) -> String {
    var text = title + "\n"
    for axis in ScalingSeries.Axis.allCases where !of(axis).isEmpty {
      let own = of(axis)
      text += "\n### \(Self.heading(axis))\n\n"
      text += Set(own.map(\.what)).sorted().joined(separator: "; ").capitalizedFirst + ".\n\n"
      text += "![\(Self.heading(axis))](\(name(of: axis, page: page)))\n\n"
      text += row(
        [axis.unit]
          + own.flatMap {
            [$0.name] + (axis == .threads ? [] : ["each"]) + ($0.hasOperations ? ["GFLOP/s"] : [])
          })
      text += row(
        ["---"]
          + own.flatMap { ["---"] + (axis == .threads ? [] : ["---"]) + ($0.hasOperations ? ["---"] : []) })
      for value in Set(own.flatMap { $0.points.map(\.value) }).sorted() {
        text += row(
          [Self.grouped(value)]
            + own.flatMap { series -> [String] in
              let point = series.points.first { $0.value == value }
              var cells = [point.map { Self.time($0.seconds) } ?? ""]
              if axis != .threads {
                cells.append(point.map { Self.time($0.seconds / Double($0.value)) } ?? "")
              }
              let rate = point.map { String(format: "%.0f", Double($0.operations) * 1e-9 / $0.seconds) } ?? ""
              return cells + (series.hasOperations ? [rate] : [])
            })
      }
      let remarks = of(axis).flatMap(\.remarks)
      if !remarks.isEmpty { text += "\nLeft out: \(remarks.joined(separator: "; ")).\n" }
    }
    return text
  }

  /// Returns the plots with their file names.
  package func plots(page: String) -> [(name: String, svg: String)] {
    ScalingSeries.Axis.allCases.filter { !of($0).isEmpty }.map { axis in
      let plot = LinePlot(
        title: Self.heading(axis), horizontal: axis.unit, vertical: "seconds",
        lines: of(axis).map { series in
          LinePlot.Line(
            name: series.name, points: series.points.map { (Double($0.value), $0.seconds) })
        }, falls: axis == .threads)
      return (name(of: axis, page: page), plot.svg)
    }
  }

  private func row(_ cells: [String]) -> String {
    "|" + cells.map { $0.isEmpty ? " |" : " \($0) |" }.joined() + "\n"
  }

  /// Returns a number with commas between thousands.
  package static func grouped(_ value: Int) -> String {
    var digits = Array(String(value))
    for place in stride(from: digits.count - 3, to: 0, by: -3) { digits.insert(",", at: place) }
    return String(digits)
  }

  /// Returns seconds with three digits, in s, ms or µs.
  static func time(_ seconds: Double) -> String {
    let (value, unit) =
      seconds >= 1 ? (seconds, "s") : seconds >= 1e-3 ? (seconds * 1e3, "ms") : (seconds * 1e6, "µs")
    return String(format: value >= 100 ? "%.0f %@" : value >= 10 ? "%.1f %@" : "%.2f %@", value, unit)
  }
}

extension ScalingSeries {
  fileprivate var hasOperations: Bool { points.contains { $0.operations > 0 } }
}

extension String {
  fileprivate var capitalizedFirst: String { prefix(1).uppercased() + dropFirst() }
}
