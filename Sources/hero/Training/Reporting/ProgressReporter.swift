import Foundation
import Synchronization

/// A report on how far a long piece of work is.
///
/// On a terminal it is a bar with the rate and the remaining time. Elsewhere it is a line every ten
/// seconds, or every `HERO_PROGRESS_INTERVAL` seconds. Any thread may report.
public final class ProgressReporter: Sendable {
  private struct State {
    var done: Int
    var note = ""
    var lastShown: Double?
  }

  /// The name of the work, such as "Training".
  public let label: String
  /// The number of units; nil if unknown.
  public let total: Int?
  private let unit: String
  private let first: Int
  private let start: Double
  private let console: Console
  private let now: @Sendable () -> Double
  private let state: Mutex<State>

  /// - Parameters:
  ///   - unit: what is counted, in the plural.
  ///   - done: the units done before, as by a resumed run; the rate does not count them.
  ///   - now: returns the seconds on a clock that never goes back.
  public init(
    _ label: String, total: Int?, unit: String, done: Int = 0, console: Console = .standardError,
    now: @escaping @Sendable () -> Double = { ProcessInfo.processInfo.systemUptime }
  ) {
    self.label = label
    self.total = total
    self.unit = unit
    self.console = console
    self.now = now
    first = done
    start = now()
    state = Mutex(State(done: done))
  }

  /// Counts units as done.
  ///
  /// - Parameter note: what else to show, such as "loss 2.31"; nil keeps the last note.
  public func advance(by units: Int = 1, note: String? = nil) {
    state.withLock { state in
      state.done += units
      if let note { state.note = note }
      let time = now()
      if let last = state.lastShown, time - last < interval { return }
      // A terminal shows progress at once; elsewhere short work stays silent until it ends.
      if !console.isTerminal, state.lastShown == nil, time - start < interval { return }
      state.lastShown = time
      show(state, at: time)
    }
  }

  /// Removes the bar and leaves one line that says what was done and how fast.
  public func finish() {
    state.withLock { state in
      console.show(status: "")
      let seconds = now() - start
      let rate = Self.rate(state.done - first, in: seconds, of: unit)
      console.print(
        "\(label): \(state.done) \(unit) in \(Self.duration(seconds))\(rate.map { ", \($0)" } ?? "")")
    }
  }

  /// Shows the progress of `work`, which calls its argument with the number of units done.
  ///
  /// That call throws ``Interruption`` if a signal was received.
  public static func follow<Result>(
    _ label: String, total: Int?, unit: String, console: Console = .standardError,
    _ work: (_ progress: (Int) throws -> Void) throws -> Result
  ) throws -> Result {
    let reporter = ProgressReporter(label, total: total, unit: unit, console: console)
    do {
      let result = try work { done in
        reporter.advance(by: done - reporter.state.withLock(\.done))
        try InterruptHandler.check()
      }
      reporter.finish()
      return result
    } catch {
      console.show(status: "")
      throw error
    }
  }

  private var interval: Double { console.isTerminal ? 0.1 : Self.lineInterval }

  /// The seconds between lines without a terminal.
  private static let lineInterval: Double = {
    let usual = 10.0
    guard let wish = ProcessInfo.processInfo.environment["HERO_PROGRESS_INTERVAL"] else { return usual }
    guard let seconds = Double(wish), seconds >= 0, seconds.isFinite else {
      Console.standardError.print(
        "HERO_PROGRESS_INTERVAL is \(wish), which is no number of seconds; it is as if it were not there")
      return usual
    }
    return seconds
  }()

  private func show(_ state: State, at time: Double) {
    let seconds = time - start
    let here = state.done - first
    var parts: [String] = []
    if let rate = Self.rate(here, in: seconds, of: unit) { parts.append(rate) }
    if let total, here > 0, state.done < total {
      parts.append("\(Self.duration(seconds / Double(here) * Double(total - state.done))) left")
    }
    if !state.note.isEmpty { parts.append(state.note) }
    let count = total.map { "\(state.done)/\($0)" } ?? "\(state.done)"
    let details = parts.isEmpty ? "" : "  " + parts.joined(separator: ", ")
    if console.isTerminal {
      console.show(status: "\(label) \(bar(state.done))\(count)\(details)")
    } else {
      console.print("\(label): \(count) \(unit)\(details)")
    }
  }

  private func bar(_ done: Int) -> String {
    guard let total, total > 0 else { return "" }
    let width = 24
    let filled = min(max(done * width / total, 0), width)
    return String(repeating: "━", count: filled) + String(repeating: "┄", count: width - filled) + " "
  }

  private static func rate(_ units: Int, in seconds: Double, of unit: String) -> String? {
    guard units > 0, seconds > 0 else { return nil }
    let rate = Double(units) / seconds
    if rate < 1 { return String(format: "%.1f s each", 1 / rate) }
    return String(format: rate < 10 ? "%.1f %@/s" : "%.0f %@/s", rate, unit)
  }

  /// Formats seconds for people: `42 s`, `3:07`, `1:02:03`.
  static func duration(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds < 1e7 else { return "long" }
    let whole = Int(max(seconds, 0).rounded())
    if whole < 60 { return "\(whole) s" }
    let (hours, minutes, rest) = (whole / 3600, whole / 60 % 60, whole % 60)
    return hours > 0
      ? String(format: "%d:%02d:%02d", hours, minutes, rest) : String(format: "%d:%02d", minutes, rest)
  }
}
