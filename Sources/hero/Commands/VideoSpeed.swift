import Foundation

/// Seconds of video that are done in a second.
struct VideoSpeed {
  private let start = ProcessInfo.processInfo.systemUptime
  private var seconds = 0.0

  mutating func add(_ seconds: Double) { self.seconds += seconds }

  /// As people say it; nil before anything is done.
  var note: String? {
    let passed = ProcessInfo.processInfo.systemUptime - start
    guard seconds > 0, passed > 0 else { return nil }
    return String(format: "%.1f s of video a second", seconds / passed)
  }
}
