import Foundation

/// Which files of folders are videos and which are subtitles, by the endings of their names.
public enum FileEndings {
  /// Containers and raw streams of moving pictures. One list for all commands.
  public static let videos: Set<String> = [
    "264", "265", "3g2", "3gp", "3gpp", "amv", "asf", "av1", "avc", "avi", "divx", "dv", "f4v", "flv", "gif",
    "h264",
    "h265", "hevc", "ivf", "m1v", "m2t", "m2ts", "m2v", "m4v", "mjpeg", "mjpg", "mk3d", "mkv", "mod", "mov",
    "mp4",
    "mpe", "mpeg", "mpg", "mpv", "mts", "mxf", "nut", "obu", "ogg", "ogm", "ogv", "qt", "rm", "rmvb", "tod",
    "tp",
    "trp", "ts", "vob", "webm", "wmv", "wtv", "y4m",
  ]

  /// The ending of a name in lower case, without its point; empty where there is none.
  public static func ending(of name: String) -> String {
    let bytes = name.utf8
    guard let point = bytes.lastIndex(of: UInt8(ascii: ".")), point > bytes.startIndex else { return "" }
    return String(name[bytes.index(after: point)...]).lowercased()
  }

  /// The name of a path's file without its ending, byte for byte.
  public static func stem(of path: String) -> String {
    let name =
      path.utf8.lastIndex(of: UInt8(ascii: "/")).map { path[path.utf8.index(after: $0)...] } ?? path[...]
    guard let point = name.utf8.lastIndex(of: UInt8(ascii: ".")), point > name.startIndex else {
      return String(name)
    }
    return String(name[..<point])
  }
}

/// The files of a folder, and of the folders in it, that are of one kind.
///
/// Links are followed, each folder once, so that loops end. Hidden files and waste baskets (`.Trash`, `$RECYCLE.BIN`,
/// `._clip.mp4`) are passed over and told in one line; whatever else cannot be used (pipes, links to nothing, names that
/// are not UTF-8, folders that cannot be read) is told in a line of its own.
public struct FolderFiles {
  private let root: String
  private let endings: Set<String>
  private let onLeftOut: (String) -> Void
  private var files: [String] = []
  /// Device and number of folders that were listed.
  private var seen: Set<FileNumber> = []
  /// Links to folders, which come after what lies in the folder itself.
  private var links: [(path: String, depth: Int)] = []
  private var hidden: [String] = []

  private struct FileNumber: Hashable {
    var device: UInt64
    var number: UInt64
  }

  private static let deepest = 64
  private static let wasteBaskets: Set<String> = [
    "$recycle.bin", "recycler", "system volume information", "lost+found", "#recycle", "@eadir", "@recycle",
    "__macosx",
  ]

  /// Paths from `folder` on, in the order of their bytes.
  ///
  /// - Parameters:
  ///   - endings: of names, in lower case; names have them in any case.
  ///   - onLeftOut: is given a line for whatever is passed over.
  /// - Throws: `DataError` where the folder cannot be listed.
  public static func list(
    _ folder: String, endings: Set<String>, onLeftOut: (String) -> Void
  ) throws -> [String] {
    try withoutActuallyEscaping(onLeftOut) { tell in
      var walk = FolderFiles(root: folder, endings: endings, onLeftOut: tell)
      try walk.folder("", depth: 0)
      var next = 0
      while next < walk.links.count {
        let link = walk.links[next]
        next += 1
        walk.tellingFailures { try $0.folder(link.path, depth: link.depth) }
      }
      if let first = walk.hidden.first {
        let count = walk.hidden.count
        tell(
          "\(folder): \(count) hidden \(count == 1 ? "file or folder is" : "files and folders are") passed over, such as "
            + "\(first). Name what you want of them")
      }
      return walk.files.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }
  }

  private init(root: String, endings: Set<String>, onLeftOut: @escaping (String) -> Void) {
    (self.root, self.endings, self.onLeftOut) = (root, endings, onLeftOut)
  }

  private func path(_ name: String) -> String {
    if name.isEmpty { return root }
    return root.utf8.last == UInt8(ascii: "/") ? root + name : "\(root)/\(name)"
  }

  private mutating func tellingFailures(_ body: (inout Self) throws -> Void) {
    do { try body(&self) } catch { onLeftOut("\(error)") }
  }

  private mutating func folder(_ name: String, depth: Int) throws {
    let path = path(name)
    var status = stat()
    guard stat(path, &status) == 0 else { throw DataError.system("read", file: path) }
    guard seen.insert(FileNumber(device: UInt64(status.st_dev), number: UInt64(status.st_ino))).inserted
    else {
      return
    }
    guard depth <= Self.deepest else {
      throw DataError(
        "its folders are more than \(Self.deepest) deep", file: path, cure: "Name this folder by itself")
    }
    guard let listing = opendir(path) else { throw DataError.system("list the folder", file: path) }
    var names: [[UInt8]] = []
    while let entry = readdir(listing) {
      let length = Int(
        strlen(UnsafeRawPointer(entry).advanced(by: Self.nameOffset).assumingMemoryBound(to: CChar.self)))
      let bytes = UnsafeRawBufferPointer(
        start: UnsafeRawPointer(entry).advanced(by: Self.nameOffset), count: length)
      names.append(Array(bytes))
    }
    closedir(listing)
    for bytes in names.sorted(by: { $0.lexicographicallyPrecedes($1) })
    where bytes != [0x2E] && bytes != [0x2E, 0x2E] {
      tellingFailures { try $0.entry(bytes, in: name, depth: depth) }
    }
  }

  private static let nameOffset = MemoryLayout<dirent>.offset(of: \.d_name) ?? 19

  private mutating func entry(_ bytes: [UInt8], in folder: String, depth: Int) throws {
    guard let name = String(validating: bytes, as: UTF8.self) else {
      // Its ending is ASCII wherever it matters.
      let shown = String(decoding: bytes, as: UTF8.self)
      guard endings.contains(FileEndings.ending(of: shown)) || !shown.contains(".") else { return }
      throw DataError(
        "the name is not UTF-8 (\(Self.escaped(bytes)))", file: path(folder), cure: "Rename it to use it")
    }
    let own = folder.isEmpty ? name : "\(folder)/\(name)"
    let isMeant = endings.contains(FileEndings.ending(of: name))
    let isHidden = bytes.first == 0x2E || Self.wasteBaskets.contains(name.lowercased())
    var (status, link) = (stat(), stat())
    guard lstat(path(own), &link) == 0 else {
      if isMeant { throw DataError.system("read", file: path(own)) }
      return
    }
    let isLink = link.st_mode & S_IFMT == S_IFLNK
    guard stat(path(own), &status) == 0 else {
      if isMeant, !isHidden {
        if isLink { throw DataError("is a link to nothing", file: path(own), cure: "Remove it or mend it") }
        throw DataError.system("read", file: path(own))
      }
      return
    }
    let kind = status.st_mode & S_IFMT
    if isHidden {
      if isMeant || kind == S_IFDIR { hidden.append(own) }
    } else if kind == S_IFDIR {
      if isLink { links.append((own, depth + 1)) } else { try self.folder(own, depth: depth + 1) }
    } else if isMeant {
      guard kind == S_IFREG else { throw PlainFile.refusal(path(own), kind) }
      files.append(own)
    }
  }

  private static func escaped(_ bytes: [UInt8]) -> String {
    bytes.map { byte in
      if (0x20..<0x7F).contains(byte) { return String(Unicode.Scalar(byte)) }
      let digits = String(byte, radix: 16)
      return digits.utf8.count < 2 ? "\\x0\(digits)" : "\\x\(digits)"
    }.joined()
  }
}

/// Files that can be read from any place and end: no pipe, no device.
public enum PlainFile {
  /// The bytes of a plain file.
  ///
  /// Asks without opening, so that a pipe nobody writes to makes nobody wait.
  ///
  /// - Throws: `DataError` where there is none, or it is something else.
  @discardableResult
  public static func size(_ path: String) throws -> Int {
    var status = stat()
    guard stat(path, &status) == 0 else { throw DataError.system("open", file: path) }
    guard status.st_mode & S_IFMT == S_IFREG else { throw refusal(path, status.st_mode & S_IFMT) }
    return Int(status.st_size)
  }

  static func refusal(_ path: String, _ kind: mode_t) -> DataError {
    let name =
      switch kind {
      case S_IFDIR: "a folder"
      case S_IFIFO: "a pipe"
      case S_IFSOCK: "a socket"
      default: "a device"
      }
    return DataError("is \(name), not a plain file", file: path, cure: "Give a file on a disk")
  }
}
