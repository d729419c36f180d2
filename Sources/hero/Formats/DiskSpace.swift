import Foundation

/// A check for free disk space before long work.
public enum DiskSpace {
  /// Returns the bytes that this user may still write into a folder; nil if they are unknown.
  static func free(in folder: String) -> Int? {
    var status = statvfs()
    guard statvfs(folder, &status) == 0, status.f_blocks > 0 else { return nil }
    return Int(
      clamping: UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize)).partialValue)
  }

  /// - Parameters:
  ///   - bytes: the number of bytes to be written.
  ///   - work: what they are for, such as "the run's states".
  /// - Throws: `DataError` that tells how much space is free and how much is needed.
  public static func require(_ bytes: Int, in folder: String, for work: String) throws {
    guard let free = free(in: folder), free < bytes else { return }
    func text(_ bytes: Int) -> String {
      bytes < 100_000_000
        ? String(format: "%.1f MB", Double(bytes) * 1e-6) : String(format: "%.1f GB", Double(bytes) * 1e-9)
    }
    throw DataError(
      "\(work) take \(text(bytes)), and \(text(free)) are free on that disk", file: folder,
      cure: "Free some space, or write elsewhere")
  }
}
