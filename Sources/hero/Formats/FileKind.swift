import Foundation

/// The kind of a file or value, told by its first bytes, for messages of readers that want another.
///
/// Failed downloads leave a web page, a Git LFS pointer or zeros under the name of the wanted file,
/// and users give files that are still packed. Readers ask only about what they do not recognize
/// themselves.
public struct FileKind: Equatable, Sendable {
  /// The kind in words that follow "is …".
  public let name: String
  /// The way to get the file that was meant, as a sentence without a full stop.
  public let cure: String

  /// The number of bytes that suffice to tell any kind.
  public static let headLength = 512

  private static let packed = "Unpack it first"
  private static let magics: [(bytes: [UInt8], name: String, cure: String)] = [
    (
      Array("version https://git-lfs".utf8), "a pointer of Git LFS, not the file itself",
      "Fetch the file: git lfs pull"
    ),
    ([0xFF, 0xFE, 0, 0], "UTF-32, not UTF-8", "Save it as UTF-8"),
    ([0, 0, 0xFE, 0xFF], "UTF-32, not UTF-8", "Save it as UTF-8"),
    ([0x1F, 0x8B], "packed by gzip", packed), ([0x50, 0x4B, 3, 4], "a zip archive", packed),
    ([0x28, 0xB5, 0x2F, 0xFD], "packed by zstd", packed),
    ([0xFD, 0x37, 0x7A, 0x58, 0x5A], "packed by xz", packed),
    (Array("BZh".utf8), "packed by bzip2", packed), (Array("Rar!".utf8), "a RAR archive", packed),
    ([0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C], "a 7-Zip archive", packed),
    ([0x89, 0x48, 0x44, 0x46], "an HDF5 file", "Save what is in it in a form that is read here"),
    (NPYHeader.magic, "a numpy array (.npy)", "Give the file that is meant"),
    (Array("SQLite format 3".utf8), "an SQLite database", "Give the file that is meant"),
    (Array("PAR1\u{15}".utf8), "a Parquet file", "Save its rows as JSON lines"),
    (Array("ARROW1\0".utf8), "an Arrow file", "Save its rows as JSON lines"),
    (Array("FEA1\0".utf8), "a Feather file", "Save its rows as JSON lines"),
    ([0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1], "a document of Microsoft Office", "Save it as text"),
    (Array("MATLAB 5.0".utf8), "a MATLAB file", "Save what is in it in a form that is read here"),
    (Array("{\\rtf".utf8), "a document in Rich Text Format", "Save it as plain text"),
    (Array("%PDF-".utf8), "a PDF document", "Give the file that is meant"),
  ]

  /// Recognizes the kind of a file that begins with these bytes; nil if it is unknown.
  /// - Parameter path: the file's path, whose extension tells a spreadsheet from a zip archive.
  public init?(head: some Sequence<UInt8>, named path: String? = nil) {
    let head = Array(head.prefix(Self.headLength))
    let ending = path.map { ($0 as NSString).pathExtension.lowercased() } ?? ""
    if ["xlsx", "ods"].contains(ending), head.starts(with: [0x50, 0x4B, 3, 4]) {
      self.init(name: "a spreadsheet", cure: "Save its rows as JSON lines")
    } else if let found = Self.magics.first(where: { head.starts(with: $0.bytes) }) {
      self.init(name: found.name, cure: found.cure)
    } else if Self.isPage(head) {
      self.init(name: "a web page, not the file itself", cure: "Download it again; the address gave a page")
    } else if head.count >= 263, head[257..<262].elementsEqual("ustar".utf8) {
      self.init(name: "a tar archive", cure: Self.packed)
    } else if head.count >= 2, head[0] == 0x80, (2...5).contains(head[1]) {
      self.init(name: "a Python pickle", cure: "Save what is in it in a form that is read here")
    } else if head.count >= 64, head.allSatisfy({ $0 == 0 }) {
      self.init(
        name: "of zeros at its beginning, as a download that was not finished", cure: "Get it again, whole")
    } else {
      return nil
    }
  }

  private init(name: String, cure: String) {
    self.name = name
    self.cure = cure
  }

  /// Recognizes the kind of the file at `path`; nil if it is unknown or not a plain file.
  public init?(path: String) {
    guard (try? PlainFile.size(path)) != nil, let file = FileHandle(forReadingAtPath: path) else {
      return nil
    }
    defer { try? file.close() }
    guard let head = try? file.read(upToCount: Self.headLength) else { return nil }
    self.init(head: head, named: path)
  }

  private static func isPage(_ head: [UInt8]) -> Bool {
    let bare = head.starts(with: [0xEF, 0xBB, 0xBF]) ? head.dropFirst(3) : head[...]
    let start = bare.drop { $0 <= 0x20 }.prefix(14)
    let text = String(decoding: start, as: UTF8.self).lowercased()
    return text.hasPrefix("<!doctype html") || text.hasPrefix("<html")
  }
}

extension DataError {
  /// Returns the error for a file of this kind, or this error if the kind is unknown.
  public func naming(_ kind: FileKind?) -> DataError {
    guard let kind else { return self }
    return DataError("is \(kind.name)", file: file, cure: kind.cure)
  }
}
