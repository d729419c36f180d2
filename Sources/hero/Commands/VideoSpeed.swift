import Foundation

/// The seconds of video that are processed in a second.
struct VideoSpeed {
  private let start = ProcessInfo.processInfo.systemUptime
  private var seconds = 0.0

  mutating func add(_ seconds: Double) { self.seconds += seconds }

  /// The speed in words; nil before anything is done.
  var note: String? {
    let passed = ProcessInfo.processInfo.systemUptime - start
    guard seconds > 0, passed > 0 else { return nil }
    return String(format: "%.1f s of video a second", seconds / passed)
  }
}
