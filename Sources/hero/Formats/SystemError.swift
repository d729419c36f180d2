import Foundation

extension DataError {
  /// Returns the operating system's error about `file`, with a cure for the usual ones.
  public static func system(_ action: String, file: String, code: Int32 = errno) -> DataError {
    let cure: String? =
      switch code {
      case ENOENT: missingCure(file)
      case EACCES, EPERM, EROFS: "Check the permissions"
      case ENOSPC, EDQUOT: "Free some space on that disk, then run again"
      case EFBIG: "Raise the limit of file sizes (ulimit -f)"
      case ENODEV: "This file system cannot do that; use a local disk, and copy what is made"
      case EIO: "The disk may be full or failing"
      case ENOTDIR: "A part of the path is a file; give another path"
      case ENAMETOOLONG: "Give a shorter name; file systems take 255 bytes"
      case EMFILE, ENFILE: "Raise the limit of open files (ulimit -n)"
      default: nil
      }
    return DataError("cannot \(action): \(String(cString: strerror(code)))", file: file, cure: cure)
  }
}

extension DataError {
  /// Returns what to do about a path that does not exist.
  public static func missingCure(_ path: String) -> String {
    if let cure = addressCure(path) { return cure }
    if path.hasPrefix("~") || path.contains("$") {
      return "Write the path out: ~ and $NAME mean something to a shell alone"
    }
    if path.hasPrefix("/") { return "Check the path" }
    let folder = FileManager.default.currentDirectoryPath
    return folder.isEmpty
      ? "The current folder was removed; change into one that is there"
      : "Check the path, which is taken from \(folder) on"
  }

  /// Returns what to do about a URL in place of a path (`s3://…`, `file:///…`); nil for a path.
  private static func addressCure(_ path: String) -> String? {
    guard let address = path.firstMatch(of: /^([A-Za-z][A-Za-z0-9+.-]*):\/\//) else { return nil }
    return address.1.lowercased() == "file"
      ? "Write the path without file://"
      : "Only files of this machine are read and written: copy or mount what is there, and give its path here"
  }

  /// Rejects a URL as an output path, because it would become a folder such as `s3:`.
  /// - Throws: `DataError`.
  public static func refuseAddress(_ path: String) throws {
    if let cure = addressCure(path) { throw DataError("is an address, not a path", file: path, cure: cure) }
  }
}

extension FileManager {
  /// Returns whether there is a folder at this path.
  public func isFolder(_ path: String) -> Bool {
    var isFolder: ObjCBool = false
    return fileExists(atPath: path, isDirectory: &isFolder) && isFolder.boolValue
  }
}
