import Formats
import Training

/// Files that a command names twice.
enum FileConflicts {
  /// Refuses a file that would be written over another that the command reads or writes.
  /// - Parameters:
  ///   - written: flags with the files that they name, where they were given.
  ///   - read: the same of files that are read.
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
