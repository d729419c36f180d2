import Foundation

/// What lies in a folder, by the bytes of its names.
public struct FolderNames {
  /// What an entry leads to; links count as their target.
  public enum Kind: Sendable {
    case file, folder
    /// A link to nothing, or what cannot be looked at.
    case broken
  }

  /// The entries in the order of their bytes, without `.` and `..`; links are what they lead to.
  public private(set) var entries: [(name: String, kind: Kind)] = []
  /// Names that are no UTF-8, which no store can have as a video's name, with U+FFFD for what is
  /// none.
  public private(set) var unreadable: [String] = []

  /// - Throws: `DataError` if the folder cannot be listed.
  public init(path: String) throws {
    guard let stream = opendir(path) else { throw DataError.system("list the folder", file: path) }
    defer { closedir(stream) }
    while true {
      errno = 0
      guard let entry = readdir(stream) else { break }
      let bytes = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
      guard let name = String(validating: bytes, as: UTF8.self) else {
        unreadable.append(String(decoding: bytes, as: UTF8.self))
        continue
      }
      if name == "." || name == ".." { continue }
      entries.append((name, Self.kind("\(path)/\(name)")))
    }
    guard errno == 0 else { throw DataError.system("list the folder", file: path) }
    entries.sort { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
  }

  private static func kind(_ path: String) -> Kind {
    var status = stat()
    guard stat(path, &status) == 0 else { return .broken }
    switch status.st_mode & S_IFMT {
    case S_IFDIR: return .folder
    case S_IFREG: return .file
    default: return .broken
    }
  }
}
