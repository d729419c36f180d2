import Foundation

/// What training draws from each source: examples, examples per second, mean loss.
struct TrainingRates {
  private struct Source {
    let name: String
    var examples = 0
    /// The losses of the updates since the last table.
    var losses: (sum: Double, count: Int) = (0, 0)
  }

  private var sources: [Source] = []
  private let start: Date
  private let now: () -> Date

  init(now: @escaping () -> Date = Date.init) {
    self.now = now
    start = now()
  }

  /// Whether there is more than one source.
  var isMixed: Bool { sources.count > 1 }

  /// Counts an update of one source.
  mutating func add(_ name: String, examples: Int, loss: Double) {
    let place = sources.firstIndex { $0.name == name } ?? sources.count
    if place == sources.count { sources.append(Source(name: name)) }
    sources[place].examples += examples
    sources[place].losses.sum += loss
    sources[place].losses.count += 1
  }

  private func rate(_ source: Source) -> Double {
    Double(source.examples) / max(1e-9, now().timeIntervalSince(start))
  }

  /// The examples per second since the beginning, by the reference's names:
  /// `perf/mlm_tv_all_ex_per_s`.
  var scalars: [(name: String, value: Double)] {
    sources.map { ("perf/\($0.name)_ex_per_s", rate($0)) }
  }

  /// Makes a table of the sources: mean losses since the last table, examples and rates since the
  /// beginning.
  mutating func table(title: String) -> MetricsTable {
    var table = MetricsTable(title: title, headings: ["", "mean loss", "examples", "a second"])
    for place in sources.indices.sorted(by: { sources[$0].name < sources[$1].name }) {
      let source = sources[place]
      let loss = source.losses.count > 0 ? source.losses.sum / Double(source.losses.count) : nil
      table.rows.append([
        source.name, loss.map { String(format: "%.3f", $0) } ?? "", String(source.examples),
        String(format: "%.1f", rate(source)),
      ])
      sources[place].losses = (0, 0)
    }
    return table
  }
}
