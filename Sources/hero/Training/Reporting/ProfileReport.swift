import Engine
import Formats
import Foundation

/// The report of an `OperationProfile`: a trace for chrome://tracing or Perfetto, and a table.
public struct ProfileReport {
  private let profile: OperationProfile
  private let device: String

  /// Takes what the backend has recorded so far.
  public init(_ backend: ProfiledBackend) { (profile, device) = (backend.profile, backend.summary) }

  /// Writes the trace, with times in microseconds since the profile began.
  ///
  /// The format is `{"traceEvents": [{"name", "ph": "X", "ts", "dur", "pid", "tid", "args"}, …]}`.
  public func write(to path: String) throws {
    let file = try AtomicFile(path: path)
    let about: JSON = [
      "name": "process_name", "ph": "M", "pid": 1, "args": ["name": .string("hero, \(device)")],
    ]
    try file.write("{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n\(about.encoded())")
    for event in profile.events { try file.write(",\n\(Self.json(event).encoded())") }
    try file.write("\n]}\n")
    try file.commit()
  }

  private static func json(_ event: OperationProfile.Event) -> JSON {
    var arguments: JSONObject = ["bytes": .int(event.bytes)]
    if event.operations > 0 { arguments["operations"] = .int(event.operations) }
    if !event.shape.isEmpty { arguments["shape"] = .array(event.shape.map { .int(Int($0)) }) }
    return [
      "name": .string(event.operation), "ph": "X", "ts": .double(Double(event.start) / 1000),
      "dur": .double(Double(event.nanoseconds) / 1000), "pid": 1, "tid": .int(event.thread),
      "args": .object(arguments),
    ]
  }

  /// The table of the operations, the slowest first.
  ///
  /// Its columns are seconds, calls, operations of products, bytes and the share of the limit. The
  /// limit of a call is the longer of two times: its operations at the peak rate of products, and
  /// its bytes at the peak rate of the memory.
  public var table: MetricsTable {
    var table = MetricsTable(
      title: String(
        format: "profile: %.2f s; limits %.0f GFLOP/s and %.1f GB/s, measured at the start (%@)",
        profile.elapsed, profile.limits.peak * 1e-9, profile.limits.bandwidth * 1e-9, device),
      headings: ["", "s", "%", "calls", "GFLOP", "GFLOP/s", "GB", "GB/s", "of the limit"])
    let totals = profile.totals
    var outside = profile.elapsed
    for (operation, total) in totals {
      outside -= total.seconds
      table.rows.append(row(operation, total))
    }
    // Operations on loading threads may overlap others, so the difference may be negative.
    table.rows.append(["outside of operations", seconds(max(0, outside)), share(max(0, outside))])
    if profile.events.count == OperationProfile.eventLimit {
      table.rows.append(["(the trace holds the first \(OperationProfile.eventLimit) calls)"])
    }
    return table
  }

  private func row(_ name: String, _ total: OperationProfile.Total) -> [String] {
    let rate = { (count: Int) in total.seconds > 0 ? Double(count) * 1e-9 / total.seconds : 0 }
    return [
      name, seconds(total.seconds), share(total.seconds), String(total.calls),
      total.operations == 0 ? "" : String(format: "%.1f", Double(total.operations) * 1e-9),
      total.operations == 0 ? "" : String(format: "%.0f", rate(total.operations)),
      String(format: "%.2f", Double(total.bytes) * 1e-9), String(format: "%.1f", rate(total.bytes)),
      total.seconds > 0 ? String(format: "%.0f %%", 100 * total.limitSeconds / total.seconds) : "",
    ]
  }

  private func seconds(_ value: Double) -> String { String(format: "%.3f", value) }

  private func share(_ value: Double) -> String {
    String(format: "%.1f", 100 * value / max(profile.elapsed, .leastNormalMagnitude))
  }
}
