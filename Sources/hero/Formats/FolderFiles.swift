import Foundation

/// Which files of folders are videos and which are subtitles, by the endings of their names.
public enum FileEndings {
  /// Containers and raw streams of moving pictures. One list for all commands.
  public static let videos: Set<String> = [
    "264", "265", "3g2", "3gp", "3gp2", "3gpp", "3gpp2", "amv", "apng", "asf", "av1", "avc", "avi", "bik",
    "dav", "divx", "dv", "dvr-ms", "evo", "f4v", "flv", "gif", "h264", "h265", "hevc", "insv", "ivf", "m1v",
    "m2p", "m2t", "m2ts", "m2v", "m4v", "mj2", "mjpeg", "mjpg", "mk3d", "mkv", "mod", "mov", "mp2v", "mp4",
    "mp4v", "mpe", "mpeg", "mpg", "mpv", "mts", "mxf", "nsv", "nut", "obu", "ogg", "ogm", "ogv", "qt", "rm",
    "rmvb", "smk", "tod", "tp", "trp", "ts", "ty", "viv", "vob", "vro", "webm", "wmv", "wtv", "y4m",
  ]

  /// Pictures, of which a folder is a video.
  public static let pictures: Set<String> = ["jpeg", "jpg", "png"]

  /// What often lies beside videos and is none: subtitles, sounds, pictures, texts, archives and
  /// what programs keep.
  public static let besideVideos: Set<String> = [
    "7z", "aac", "ac3", "ass", "bak", "bmp", "bup", "bz2", "cpi", "csv", "db", "dfxp", "dts", "exif", "flac",
    "gz", "heic", "htm", "html", "idx", "ifo", "ini", "itt", "jpeg", "jpg", "json", "json3", "jsonl", "lnk",
    "log",
    "lrc",
    "m3u", "m3u8", "m4a", "m4b", "mcc", "md", "md5", "mka", "mks", "mp3", "mpd", "nfo", "npy", "npz", "oga",
    "opus",
    "pdf", "png", "rar", "rt", "sami", "sbv", "scc", "sfv", "sha256", "smi", "srt", "srv1", "srv2", "srv3",
    "ssa", "stl",
    "sub", "sup", "svg",
    "tar", "thm", "tif", "tiff", "torrent", "tsv", "ttml", "txt", "url", "vtt", "wav", "webp", "xml", "xmp",
    "xz",
    "yaml", "yml", "zip", "zst",
  ]

  /// Whether a file is one that Windows or macOS puts into folders for itself.
  public static func isSystems(_ name: String) -> Bool {
    ["thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"].contains(name.lowercased())
  }

  /// Whether a file is one that a browser or another program has not downloaded or copied whole.
  public static func isUnfinished(_ name: String) -> Bool {
    ["aria2", "crdownload", "download", "filepart", "opdownload", "part", "partial", "tmp"]
      .contains(ending(of: name))
  }

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
/// Follows links, each folder once, so loops end. Passes over hidden files and waste baskets
/// (`.Trash`, `$RECYCLE.BIN`, `._clip.mp4`) and reports them in one line. Reports everything else
/// that cannot be used (pipes, links to nothing, names that are not UTF-8, unreadable folders),
/// each in its own line.
public struct FolderFiles {
  private let root: String
  private let endings: Set<String>
  /// Endings of other files that belong beside these; nil to report no other file.
  private let passed: Set<String>?
  private let onLeftOut: (String) -> Void
  private var files: [String] = []
  /// Device and number of folders that were listed.
  private var seen: Set<FileNumber> = []
  /// Links to folders, which come after what lies in the folder itself.
  private var links: [(path: String, depth: Int)] = []
  private var hidden: [String] = []
  /// Files of other endings than are asked for or passed.
  private var others: [String] = []

  private struct FileNumber: Hashable {
    var device: UInt64
    var number: UInt64
  }

  private static let deepest = 64
  private static let wasteBaskets: Set<String> = [
    "$recycle.bin", "recycler", "system volume information", "lost+found", "#recycle", "#snapshot", "@eadir",
    "@recycle",
    "__macosx",
  ]

  /// Paths from `folder` on, in the order of their bytes.
  ///
  /// - Parameters:
  ///   - endings: of names, in lower case; names have them in any case.
  ///   - passed: endings of files that are passed over without a word; what has neither these nor
  ///     those is counted in one line. Nil where nothing is said of other endings.
  ///   - onLeftOut: is given a line for whatever is passed over.
  /// - Throws: `DataError` where the folder cannot be listed.
  public static func list(
    _ folder: String, endings: Set<String>, passing passed: Set<String>? = nil, onLeftOut: (String) -> Void
  ) throws -> [String] {
    try withoutActuallyEscaping(onLeftOut) { tell in
      var walk = FolderFiles(root: folder, endings: endings, passed: passed, onLeftOut: tell)
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
      if let first = walk.others.first {
        let count = walk.others.count
        tell(
          "\(folder): \(count) \(count == 1 ? "file is" : "files are") passed over for the endings of their names, such as "
            + "\(first). Name what you want of them")
      }
      return walk.files.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }
  }

  private init(
    root: String, endings: Set<String>, passed: Set<String>?, onLeftOut: @escaping (String) -> Void
  ) {
    (self.root, self.endings, self.passed, self.onLeftOut) = (root, endings, passed, onLeftOut)
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
    for (bytes, isFolder) in try Self.entries(of: path)
    where bytes != [0x2E] && bytes != [0x2E, 0x2E] {
      tellingFailures { try $0.entry(bytes, isFolder: isFolder, in: name, depth: depth) }
    }
  }

  /// Names in the order of their bytes, with whether the folder itself says that they are folders:
  /// what is in it may not be allowed to be looked at.
  private static func entries(of path: String) throws -> [(name: [UInt8], isFolder: Bool)] {
    guard let listing = opendir(path) else { throw DataError.system("list the folder", file: path) }
    defer { closedir(listing) }
    var entries: [(name: [UInt8], isFolder: Bool)] = []
    while true {
      errno = 0
      guard let entry = readdir(listing) else { break }
      let name = UnsafeRawPointer(entry).advanced(by: nameOffset)
      let bytes = UnsafeRawBufferPointer(start: name, count: strlen(name.assumingMemoryBound(to: CChar.self)))
      entries.append((Array(bytes), Int(entry.pointee.d_type) == Int(DT_DIR)))
    }
    guard errno == 0 else { throw DataError.system("list the folder", file: path) }
    return entries.sorted { $0.name.lexicographicallyPrecedes($1.name) }
  }

  private static let nameOffset = MemoryLayout<dirent>.offset(of: \.d_name) ?? 19

  private mutating func entry(_ bytes: [UInt8], isFolder: Bool, in folder: String, depth: Int) throws {
    guard let name = String(validating: bytes, as: UTF8.self) else {
      // Its ending is ASCII wherever it matters.
      let shown = String(decoding: bytes, as: UTF8.self)
      guard isFolder || endings.contains(FileEndings.ending(of: shown)) || !shown.contains(".") else {
        return
      }
      throw DataError(
        "the name is not UTF-8 (\(Self.escaped(bytes)))", file: path(folder), cure: "Rename it to use it")
    }
    let own = folder.isEmpty ? name : "\(folder)/\(name)"
    let ending = FileEndings.ending(of: name)
    let isMeant = endings.contains(ending)
    let isHidden = bytes.first == 0x2E || Self.wasteBaskets.contains(name.lowercased())
    var (status, link) = (stat(), stat())
    guard lstat(path(own), &link) == 0 else {
      if isMeant || isFolder { throw DataError.system("read", file: path(own)) }
      return
    }
    let isLink = link.st_mode & S_IFMT == S_IFLNK
    guard stat(path(own), &status) == 0 else {
      // Without an ending it may have been a folder, of a disk that is not there.
      if isMeant || ending.isEmpty, !isHidden {
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
    } else if kind == S_IFREG, let passed, !passed.contains(ending) {
      others.append(own)
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
  /// Asks without opening, so that an idle pipe does not block.
  ///
  /// - Throws: `DataError` where there is none, or it is something else.
  @discardableResult
  public static func size(_ path: String) throws -> Int {
    var status = stat()
    guard stat(path, &status) == 0 else { throw DataError.system("open", file: path) }
    guard status.st_mode & S_IFMT == S_IFREG else { throw refusal(path, status.st_mode & S_IFMT) }
    return Int(status.st_size)
  }

  /// Opens a plain file to read, without waiting for whoever might write into a pipe.
  ///
  /// - Throws: `DataError` where there is none, or it is something else.
  static func open(_ path: String) throws -> (descriptor: Int32, size: Int) {
    let descriptor = Foundation.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw DataError.system("open", file: path) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      let error = DataError.system("read", file: path)
      close(descriptor)
      throw error
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw refusal(path, status.st_mode & S_IFMT)
    }
    return (descriptor, Int(status.st_size))
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
