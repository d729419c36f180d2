import Formats
import Model

extension LoadReport {
  /// A table of what was loaded, what was not, and every shape that did not fit.
  var table: MetricsTable {
    var table = MetricsTable(headings: ["", "arrays", "which"])
    table.textColumns = [0, 2]
    func add(_ title: String, _ names: [String]) {
      if !names.isEmpty { table.rows.append([title, String(names.count), Self.modules(of: names)]) }
    }
    add("loaded", loaded)
    add("random: not in the checkpoint", missing)
    add("without a place in the model", unused)
    func add(_ title: String, _ arrays: [(name: String, checkpoint: [Int], model: [Int])]) {
      for (name, theirs, ours) in arrays {
        table.rows.append([title, "1", "\(name): \(Self.spelled(theirs)), not \(Self.spelled(ours))"])
      }
    }
    add("loaded as far as it goes", resized)
    add("random: another shape", mismatched)
    return table
  }

  private static func spelled(_ shape: [Int]) -> String { shape.map(String.init).joined(separator: " × ") }

  /// Lists the modules of parameters, each with its number of them: `v_encoder.f_encoder 105,
  /// decoder 54`.
  private static func modules(of names: [String]) -> String {
    let counts = Dictionary(grouping: names) { name in
      let parts = name.split(separator: ".")
      let isWhole = ["v_encoder", "roberta"].contains(parts.first)
      return parts.prefix(isWhole ? 2 : 1).joined(separator: ".")
    }.mapValues(\.count).sorted { ($1.value, $0.key) < ($0.value, $1.key) }
    return counts.map { $0.value == 1 ? $0.key : "\($0.key) \($0.value)" }.listed(3)
  }
}
