import Foundation

/// The peak resident memory of the process since a mark.
struct PeakMemory {
  /// Sets the mark.
  ///
  /// If Linux refuses to reset the count, it continues from the process's start.
  init() {
    guard let file = FileHandle(forWritingAtPath: "/proc/self/clear_refs") else { return }
    try? file.write(contentsOf: Data("5".utf8))
  }

  /// The peak, in bytes.
  var bytes: Int {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    if let match = status.firstMatch(of: /VmHWM:\s*([0-9]+) kB/), let size = Int(match.1) {
      return size * 1024
    }
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return Int(usage.ru_maxrss) * 1024
  }
}
