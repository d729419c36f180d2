import Formats
import Foundation

/// The figures of runs during training, over updates and over seconds, as tables and plots.
///
/// Runs that differ only in seed and folder form one line, their mean. Each run is a thin line
/// beside it.
package struct QualityCurves {
  /// The quantity on the horizontal axis.
  package enum Axis: String, CaseIterable, Sendable {
    case updates, seconds
  }

  /// A validation of a run.
  private struct Point {
    let update: Int
    /// The seconds since the run began to train, earlier validations included.
    let seconds: Double
    /// The figures, keyed by measure.
    let values: [String: Double]

    func place(_ axis: Axis) -> Double { axis == .updates ? Double(update) : seconds }
  }

  /// Runs with the same settings.
  private struct Group {
    let settings: JSONObject
    var name = ""
    var runs: [[Point]]

    /// The validations that all runs have in common, with the means of their figures.
    var mean: [Point] {
      runs[0].compactMap { first in
        let points = runs.compactMap { run in run.last { $0.update == first.update } }
        guard points.count == runs.count else { return nil }
        func mean(_ figures: [Double]) -> Double { figures.reduce(0, +) / Double(figures.count) }
        return Point(
          update: first.update, seconds: mean(points.map(\.seconds)),
          values: first.values.reduce(into: [:]) { means, value in
            let figures = points.compactMap { $0.values[value.key] }
            if figures.count == runs.count { means[value.key] = mean(figures) }
          })
      }
    }
  }

  private var groups: [Group] = []
  private let measures: [String]
  private let axes: [Axis]

  /// The settings in which runs of one group may differ.
  private static let names: Set<String> = ["seed", "output_dir"]

  /// - Parameters:
  ///   - runs: the folders of the runs.
  ///   - measures: the last parts of the figures' names, such as `VCMR_0.5-r1`.
  /// - Throws: `DataError` if a folder is not a run's or its run never measured any of `measures`.
  package init(runs: [String], measures: [String], axes: [Axis] = Axis.allCases) throws {
    (self.measures, self.axes) = (measures, axes)
    for run in runs {
      let hyperparameters = "\(run)/log/hps.json"
      guard let all = try JSON.read(path: hyperparameters).object else {
        throw DataError("is not a JSON object", file: hyperparameters, cure: "Give the folder of a run")
      }
      let settings = JSONObject(all.filter { !Self.names.contains($0.key) })
      let points = try Self.points(of: run, measures)
      if let place = groups.firstIndex(where: { $0.settings == settings }) {
        groups[place].runs.append(points)
      } else {
        groups.append(Group(settings: settings, runs: [points]))
      }
    }
    nameGroups()
  }

  /// Names each group by the settings in which the groups differ.
  private mutating func nameGroups() {
    let keys = groups.flatMap { $0.settings.map(\.key) }.reduce(into: [String]()) {
      if !$0.contains($1) { $0.append($1) }
    }
    let differing = keys.filter { key in Set(groups.map { $0.settings[key]?.encoded() ?? "" }).count > 1 }
    for place in groups.indices {
      let settings = groups[place].settings
      let words = differing.map { key -> String in
        let value = settings[key].map { $0.string ?? $0.encoded() } ?? "none"
        return key == "precision" ? value : "\(key) \(value)"
      }
      groups[place].name = words.isEmpty ? "mean" : words.joined(separator: ", ")
    }
  }

  /// Returns a run's validations in the order of updates; a resumed run has several files.
  private static func points(of run: String, _ measures: [String]) throws -> [Point] {
    let folder = "\(run)/log"
    let files = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.contains("tfevents") }
    let logs = try files.map { try EventReader(path: "\(folder)/\($0)") }
      .sorted { ($0.begun ?? 0) < ($1.begun ?? 0) }
    var earlier = 0.0
    var found: [Int: (seconds: Double, values: [String: Double])] = [:]
    for log in logs {
      let begun = log.begun ?? 0
      for scalar in log.scalars where scalar.tag.hasPrefix("valid") {
        guard let measure = measures.first(where: { scalar.tag.hasSuffix("/" + $0) }),
          !scalar.tag.contains("_nms_")
        else { continue }
        found[scalar.step, default: (0, [:])].seconds = earlier + scalar.seconds - begun
        found[scalar.step]?.values[measure] = scalar.value
      }
      earlier += (log.scalars.last?.seconds ?? begun) - begun
    }
    guard !found.isEmpty else {
      throw DataError(
        "has no validation that measured \(measures.joined(separator: " or "))", file: folder,
        cure: "Give runs that measured it, and --measures as 'hero eval' names them after the last stroke")
    }
    return found.sorted { $0.key < $1.key }.map {
      Point(update: $0.key, seconds: $0.value.seconds, values: $0.value.values)
    }
  }

  /// - Parameter page: the page's name without its extension; the plots' file names begin with it.
  package func markdown(page: String) -> String {
    var text = ""
    for (name, _) in plots(page: page) { text += "![\(name)](\(name))\n\n" }
    for group in groups {
      let count = group.runs.count
      text += groups.count > 1 ? "\(group.name), " : ""
      text += "\(count) \(count == 1 ? "run" : "runs"), mean (least to most):\n\n"
      let timed = axes.contains(.seconds)
      text += "| updates |\(timed ? " seconds |" : "") \(measures.joined(separator: " | ")) |\n"
      text += "| --- |\(timed ? " --- |" : "")\(String(repeating: " --- |", count: measures.count))\n"
      for point in group.mean {
        text += "| \(ScalingReport.grouped(point.update)) |"
        if timed { text += String(format: " %.0f |", point.seconds) }
        for measure in measures { text += " \(Self.cell(measure, at: point, group)) |" }
        text += "\n"
      }
      text += "\n"
    }
    return String(text.dropLast())
  }

  private static func cell(_ measure: String, at point: Point, _ group: Group) -> String {
    guard let mean = point.values[measure] else { return "" }
    let all = group.runs.compactMap { run in run.last { $0.update == point.update }?.values[measure] }
    guard group.runs.count > 1, let least = all.min(), let most = all.max() else {
      return String(format: "%.1f", mean)
    }
    return String(format: "%.1f (%.1f to %.1f)", mean, least, most)
  }

  /// Returns the plots with their file names.
  package func plots(page: String) -> [(name: String, svg: String)] {
    measures.flatMap { measure in
      axes.map { axis in
        let lines = groups.enumerated().flatMap { place, group -> [LinePlot.Line] in
          func line(_ name: String, _ points: [Point]) -> LinePlot.Line {
            var line = LinePlot.Line(
              name: name,
              points: points.compactMap { point in
                point.values[measure].map { (point.place(axis), $0) }
              })
            line.color = place
            return line
          }
          let thin = group.runs.count > 1 ? group.runs.map { line("", $0) } : []
          return thin.map { line in
            var line = line
            line.isThin = true
            return line
          } + [line(group.name, group.mean)]
        }
        let plot = LinePlot(
          title: measure, horizontal: axis.rawValue, vertical: "%", lines: lines, isLinear: true)
        return ("\(page)-\(measure)-\(axis.rawValue).svg", plot.svg)
      }
    }
  }
}
