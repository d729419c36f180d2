import Foundation

/// The extensions that tell which files are videos, pictures or neither.
public enum FileEndings {
  /// The extensions of video containers and raw video streams, for all commands.
  public static let videos: Set<String> = [
    "264", "265", "3g2", "3gp", "3gp2", "3gpp", "3gpp2", "amv", "apng", "asf", "av1", "avc", "avi", "bik",
    "dav", "divx", "dv", "dvr-ms", "evo", "f4v", "flv", "gif", "h264", "h265", "hevc", "insv", "ivf", "m1v",
    "m2p", "m2t", "m2ts", "m2v", "m4v", "mj2", "mjpeg", "mjpg", "mk3d", "mkv", "mod", "mov", "mp2v", "mp4",
    "mp4v", "mpe", "mpeg", "mpg", "mpv", "mts", "mxf", "nsv", "nut", "obu", "ogg", "ogm", "ogv", "qt", "rm",
    "rmvb", "smk", "tod", "tp", "trp", "ts", "ty", "viv", "vob", "vro", "webm", "wmv", "wtv", "y4m",
  ]

  /// The extensions of pictures; a folder of pictures is a video.
  public static let pictures: Set<String> = ["jpeg", "jpg", "png"]

  /// The extensions of other files that often lie beside videos, such as subtitles, audio and
  /// archives.
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

  /// Returns whether a file is one that Windows or macOS creates in folders for itself.
  public static func isSystems(_ name: String) -> Bool {
    ["thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"].contains(name.lowercased())
  }

  /// Returns whether a file is an unfinished download or copy.
  public static func isUnfinished(_ name: String) -> Bool {
    ["aria2", "crdownload", "download", "filepart", "opdownload", "part", "partial", "tmp"]
      .contains(ending(of: name))
  }

  /// Returns a name's extension in lower case without its dot; empty if there is none.
  public static func ending(of name: String) -> String {
    let bytes = name.utf8
    guard let point = bytes.lastIndex(of: UInt8(ascii: ".")), point > bytes.startIndex else { return "" }
    return String(name[bytes.index(after: point)...]).lowercased()
  }

  /// Returns the name of a path's file without its extension, byte for byte.
  public static func stem(of path: String) -> String {
    let name =
      path.utf8.lastIndex(of: UInt8(ascii: "/")).map { path[path.utf8.index(after: $0)...] } ?? path[...]
    guard let point = name.utf8.lastIndex(of: UInt8(ascii: ".")), point > name.startIndex else {
      return String(name)
    }
    return String(name[..<point])
  }
}

/// The files of one kind in a folder and its subfolders.
///
/// The walk follows links but lists each folder once, so loops end. It skips hidden files and trash
/// folders (`.Trash`, `$RECYCLE.BIN`, `._clip.mp4`) and reports them in one line. It reports each
/// other unusable entry in its own line: a pipe, a broken link, a name that is not UTF-8 or an
/// unreadable folder.
public struct FolderFiles {
  private let root: String
  private let endings: Set<String>
  /// The extensions of other files that belong beside these; nil to report no other file.
  private let passed: Set<String>?
  private let onLeftOut: (String) -> Void
  private var files: [String] = []
  /// The device and inode numbers of the folders already listed.
  private var seen: Set<FileNumber> = []
  /// The links to folders, which are listed after everything else.
  private var links: [(path: String, depth: Int)] = []
  private var hidden: [String] = []
  /// The files whose extensions are neither wanted nor passed.
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

  /// Returns the wanted files' paths below `folder`, in byte order.
  ///
  /// - Parameters:
  ///   - endings: the wanted extensions in lower case; names may have them in any case.
  ///   - passed: the extensions that are skipped silently; files with any other extension are
  ///     counted in one line. Nil reports no other extensions.
  ///   - onLeftOut: gets the lines about what is skipped.
  /// - Throws: `DataError` if the folder cannot be listed.
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

  /// Returns the names in byte order, each with whether the listing itself marks it as a folder.
  ///
  /// The listing tells this even where the entry itself may not be examined.
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
      // The extensions that matter are ASCII, so decoding keeps them.
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
      // A name without an extension may be a link to a folder on a disk that is not mounted.
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

/// Plain files, which allow random access and have an end: no pipes, no devices.
public enum PlainFile {
  /// Returns the size of a plain file in bytes.
  ///
  /// It does not open the file, so an idle pipe does not block.
  ///
  /// - Throws: `DataError` if there is no such file, or it is not a plain file.
  @discardableResult
  public static func size(_ path: String) throws -> Int {
    var status = stat()
    guard stat(path, &status) == 0 else { throw DataError.system("open", file: path) }
    guard status.st_mode & S_IFMT == S_IFREG else { throw refusal(path, status.st_mode & S_IFMT) }
    return Int(status.st_size)
  }

  /// Opens a plain file for reading, without waiting for a writer if it is a pipe.
  ///
  /// - Throws: `DataError` if there is no such file, or it is not a plain file.
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
