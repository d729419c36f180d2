import Foundation

/// The memory that the process holds.
public enum ResidentMemory {
  /// Returns the resident size in bytes that `/proc/self/statm` gives.
  public static func bytes() throws -> Int {
    let pages = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")
    guard pages.count > 1, let resident = Int(pages[1]) else { throw CocoaError(.fileReadCorruptFile) }
    return resident * sysconf(Int32(_SC_PAGESIZE))
  }
}
