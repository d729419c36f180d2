import Formats
import Training

/// Checks for files that a command names twice.
enum FileConflicts {
  /// Refuses a file that would overwrite another file that the command reads or writes.
  /// - Parameters:
  ///   - written: flags with the files that they write; nil for a flag that was not given.
  ///   - read: flags with the files that they read.
  /// - Throws: `UsageError` naming both flags.
  static func refuse(written: KeyValuePairs<String, String?>, read: KeyValuePairs<String, String?> = [:])
    throws
  {
    let (written, read) = (given(written), given(read))
    for (place, output) in written.enumerated() {
      for other in written[(place + 1)...] + read where OutputFile.isSame(output.path, other.path) {
        throw UsageError(
          "\(output.flag) and \(other.flag) name one file, \(output.path), which would be written over; "
            + "give another name")
      }
    }
  }

  private static func given(_ flags: KeyValuePairs<String, String?>) -> [(flag: String, path: String)] {
    flags.compactMap { flag, path in path.map { (flag, $0) } }
  }
}
