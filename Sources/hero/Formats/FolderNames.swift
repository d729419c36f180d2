import Foundation

/// The entries of a folder, in byte order of their names.
public struct FolderNames {
  /// The kind of an entry; a link has the kind of its target.
  public enum Kind: Sendable {
    case file, folder
    /// A broken link, an entry that cannot be examined, or neither a file nor a folder.
    case broken
  }

  /// The entries in byte order, without `.` and `..`.
  public private(set) var entries: [(name: String, kind: Kind)] = []
  /// The names that are not UTF-8, with U+FFFD for invalid bytes; no store can have such a video.
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
