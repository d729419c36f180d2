import Foundation

extension DataError {
  /// The operating system's complaint about `file`, with a cure for the usual ones.
  public static func system(_ action: String, file: String, code: Int32 = errno) -> DataError {
    let cure: String? =
      switch code {
      case ENOENT: missingCure(file)
      case EACCES, EPERM, EROFS: "Check the permissions"
      case ENOSPC, EDQUOT: "Free some space on that disk, then run again"
      case ENODEV: "This file system cannot do that; use a local disk, and copy what is made"
      case EIO: "The disk may be full or failing"
      case EMFILE, ENFILE: "Raise the limit of open files (ulimit -n)"
      default: nil
      }
    return DataError("cannot \(action): \(String(cString: strerror(code)))", file: file, cure: cure)
  }
}

extension DataError {
  /// What to do about a path where nothing is.
  public static func missingCure(_ path: String) -> String {
    path.hasPrefix("~") || path.contains("$")
      ? "Write the path out: ~ and $NAME mean something to a shell alone" : "Check the path"
  }
}

extension FileManager {
  /// Whether there is a folder of this path.
  public func isFolder(_ path: String) -> Bool {
    var isFolder: ObjCBool = false
    return fileExists(atPath: path, isDirectory: &isFolder) && isFolder.boolValue
  }
}
