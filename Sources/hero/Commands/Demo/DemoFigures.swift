import Formats
import Training

/// The figures that a demo's models reached, by name.
struct DemoFigures {
  private(set) var values: [(name: String, value: Double)] = []

  mutating func add(_ name: String, _ value: Double?) {
    if let value { values.append((name, value)) }
  }

  /// Writes the figures as a JSON object.
  func write(to path: String) throws {
    try AtomicFile.write(JSON(figures: values).encoded(style: .pretty), to: path)
  }

  /// Compares each figure with its band.
  ///
  /// - Parameter path: a JSON object of `"name": [lowest, highest]`. A figure without a band is
  ///   shown but not judged. A band whose task was not trained is skipped.
  /// - Returns: the table, and the names of figures outside their bands.
  func compared(with path: String) throws -> (table: MetricsTable, outside: [String]) {
    guard let bands = try JSON.read(path: path).object else {
      throw DataError("is no object of bands", file: path, cure: "Give {\"name\": [lowest, highest], …}")
    }
    var table = MetricsTable(
      title: "against \(path)", headings: ["", "lowest", "hero", "highest", ""])
    var outside: [String] = []
    for (name, value) in values {
      let band = bands[name]?.array?.compactMap(\.double) ?? []
      guard band.count == 2 || bands[name] == nil else {
        throw DataError("is no band", file: path, place: name, cure: "Give [lowest, highest]")
      }
      let fits = band.isEmpty || (band[0]...max(band[0], band[1])).contains(value)
      if !fits { outside.append(name) }
      table.add(name, [band.first, value, band.last])
      table.rows[table.rows.count - 1].append(fits ? "" : "outside")
    }
    return (table, outside)
  }
}
