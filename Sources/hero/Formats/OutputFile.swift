import Foundation

/// A file that a command is asked to write.
public enum OutputFile {
  /// Checks that a file can be written, before any work is done.
  ///
  /// - Parameters:
  ///   - overwrites: whether a file of that name may be replaced.
  ///   - cure: what to do about an existing file.
  /// - Throws: `DataError` if the folder is missing or not writable, if the name belongs to
  ///   something other than a file, or if an existing file may not be replaced.
  public static func require(
    _ path: String, overwrites: Bool, cure: String = "Give --overwrite to replace it, or another name"
  ) throws {
    try DataError.refuseAddress(path)
    guard path != "-" else {
      throw DataError(
        "is no name of a file: what is made is not printed", file: path, cure: "Give a file's name, or ./-")
    }
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
    guard FileManager.default.isFolder(folder) else {
      throw DataError("its folder is not there", file: path, cure: "Make the folder \(folder)")
    }
    guard access(folder, W_OK) == 0 else { throw DataError.system("write", file: path) }
    var status = stat()
    guard lstat(path, &status) == 0 else { return }
    let kind = status.st_mode & S_IFMT
    guard kind == S_IFREG || kind == S_IFLNK else {
      throw DataError(
        kind == S_IFDIR ? "is a folder" : "is no file that can be replaced", file: path,
        cure: "Give the name of a file")
    }
    guard overwrites else { throw DataError("exists already", file: path, cure: cure) }
  }

  /// Returns whether two paths name one file, even through different folders or links.
  public static func isSame(_ path: String, _ other: String) -> Bool {
    func identity(_ path: String) -> [String] {
      var status = stat()
      if stat(path, &status) == 0 { return ["\(status.st_dev)", "\(status.st_ino)"] }
      let url = URL(fileURLWithPath: path).standardizedFileURL
      return [url.deletingLastPathComponent().resolvingSymlinksInPath().path, "/", url.lastPathComponent]
    }
    return identity(path) == identity(other)
  }

  /// Writes a file under the first free name of `NAME.json`, `NAME.2.json`, `NAME.3.json` and so
  /// on.
  ///
  /// If an earlier file has the same content, only the earlier one stays.
  ///
  /// - Parameters:
  ///   - path: `NAME.json`.
  ///   - write: writes the whole file to the given path.
  /// - Returns: the path of the file with the content.
  public static func writeBeside(_ path: String, _ write: (String) throws -> Void) throws -> String {
    let files = FileManager.default
    let ending = (path as NSString).pathExtension
    let stem = path.dropLast(ending.utf8.count + 1)
    var (free, earlier) = (path, [String]())
    while files.fileExists(atPath: free) {
      earlier.append(free)
      free = "\(stem).\(earlier.count + 1).\(ending)"
    }
    try write(free)
    guard let same = earlier.first(where: { files.contentsEqual(atPath: $0, andPath: free) }) else {
      return free
    }
    unlink(free)
    return same
  }
}

/// The folders made for a piece of work, which can be removed if the work fails.
public struct MadeFolders {
  private var made: [String] = []

  /// Creates a record without folders.
  public init() {}

  /// Makes a folder and its missing parents.
  public mutating func make(_ path: String) throws {
    if FileManager.default.isFolder(path) { return }
    let parent = URL(fileURLWithPath: path).deletingLastPathComponent().path
    if parent != path { try make(parent) }
    if mkdir(path, 0o777) == 0 { return made.append(path) }
    let error = errno
    if error == EEXIST, FileManager.default.isFolder(path) { return }
    guard error == EEXIST else { throw DataError.system("make the folder", file: path, code: error) }
    throw DataError(
      "is no folder, and one of this name is to be made", file: path,
      cure: "Give the name of a folder, or of one that is not there yet")
  }

  /// Removes the made folders that are still empty.
  public mutating func remove() {
    for path in made.reversed() { rmdir(path) }
    made = []
  }
}
