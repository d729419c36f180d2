import Foundation

/// Text files from any program: UTF-8 or UTF-16, with or without a byte order mark, also in gzip.
public enum TextFile {
  /// The maximum length of a line in bytes: one with an hour's subtitles word by word has
  /// megabytes.
  public static let longestLine = 256 << 20
  /// The maximum size in bytes of a file that is read as a whole.
  public static let mostBytes = 2 << 30

  /// Reads the whole file as UTF-8 without a byte order mark.
  /// - Parameter limit: the maximum size in bytes; a larger file throws.
  /// - Throws: `DataError` for a file that is missing, too long, packed or encoded in another way,
  ///   or not text.
  public static func read(path: String, limit: Int = mostBytes) throws -> [UInt8] {
    let source = try TextSource(path: path)
    guard source.size <= limit else { throw FileBytes.tooLong(path, limit) }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(source.size + 1)
    while try source.append(to: &bytes) > 0 {
      guard bytes.count <= limit else { throw FileBytes.tooLong(path, limit) }
    }
    return bytes
  }

  /// Calls `body` with every line as UTF-8, without its end; the bytes are valid only inside it.
  ///
  /// Lines end with a line feed, and a carriage return before it stays. In a file without line
  /// feeds, they end with a carriage return. The file is read in pieces, so memory grows only with
  /// the longest line.
  /// - Throws: `DataError` as `read` does and for a line that is too long; what `body` throws.
  public static func forEachLine(path: String, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    let source = try TextSource(path: path)
    try FileBytes.forEachLine(
      path: path, longest: longestLine, reading: { try source.append(to: &$0) }, body)
  }

  /// Rejects what cannot be read twice, such as a pipe, because a first pass finds the format.
  /// - Throws: `DataError` for a path that is not a plain file.
  public static func requirePlain(_ path: String) throws {
    var status = stat()
    guard stat(path, &status) == 0 else { throw DataError.system("open", file: path) }
    let kind = status.st_mode & S_IFMT
    guard kind != S_IFDIR else { throw DataError("is a folder", file: path, cure: "Give the path of a file") }
    guard kind == S_IFREG else {
      throw DataError("not a plain file", file: path, cure: "Write it to a file and give that")
    }
  }
}

/// A source of a text file's bytes as UTF-8, piece by piece.
private final class TextSource {
  private enum Encoding { case utf8, utf16(bigEndian: Bool) }

  /// The size of the file in bytes, 0 if it is not a plain file.
  let size: Int
  private let path: String
  private let descriptor: Int32
  private let packed: Gzip.Reader?
  private var encoding = Encoding.utf8
  /// The bytes that were read to detect the encoding.
  private var head: [UInt8] = []
  /// The UTF-16 bytes that wait for the rest of their character, and the number of bytes before
  /// them.
  private var waiting: [UInt8] = []
  private var read = 0

  private static let piece = 1 << 20
  /// The number of bytes that suffice to detect a file's kind and encoding.
  private static let headLength = 64

  init(path: String) throws {
    let descriptor = try FileBytes.openForReading(path)
    var status = stat()
    let isPlain = fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    size = isPlain ? max(0, Int(status.st_size)) : 0
    (self.path, self.descriptor) = (path, descriptor)
    var magic: [UInt8] = []
    do {
      while magic.count < Self.headLength,
        try FileBytes.append(upTo: 1 << 12, from: descriptor, path: path, to: &magic) > 0
      {}
      guard magic.starts(with: [0x1F, 0x8B]) else {
        packed = nil
        (encoding, head) = try Self.encoding(of: magic, path: path)
        return
      }
      guard isPlain else {
        throw DataError("is packed by gzip and no plain file", file: path, cure: "Unpack it first")
      }
      let reader = try Gzip.Reader(path: path)
      var unpacked: [UInt8] = []
      while unpacked.count < Self.headLength, try reader.append(to: &unpacked) > 0 {}
      packed = reader
      (encoding, head) = try Self.encoding(of: unpacked, path: path)
    } catch {
      close(descriptor)
      throw error
    }
  }

  deinit { close(descriptor) }

  /// Detects the encoding from a file's first bytes, and returns them without a byte order mark.
  private static func encoding(of head: [UInt8], path: String) throws -> (Encoding, [UInt8]) {
    if let kind = FileKind(head: head, named: path) { throw DataError("no text", file: path).naming(kind) }
    if head.starts(with: [0xEF, 0xBB, 0xBF]) { return (.utf8, Array(head.dropFirst(3))) }
    if head.starts(with: [0xFF, 0xFE]) { return (.utf16(bigEndian: false), Array(head.dropFirst(2))) }
    if head.starts(with: [0xFE, 0xFF]) { return (.utf16(bigEndian: true), Array(head.dropFirst(2))) }
    let sample = head.prefix(1024)
    let zeros = [0, 1].map { parity in sample.indices.count { $0 % 2 == parity && sample[$0] == 0 } }
    guard zeros[0] + zeros[1] > 0 else { return (.utf8, head) }
    if zeros[1] > sample.count / 8, zeros[1] > 4 * zeros[0] { return (.utf16(bigEndian: false), head) }
    if zeros[0] > sample.count / 8, zeros[0] > 4 * zeros[1] { return (.utf16(bigEndian: true), head) }
    throw DataError("holds zero bytes and is no text", file: path, cure: "Give the text file that is meant")
  }

  /// Reads a piece and returns the number of bytes added, 0 at the end.
  func append(to bytes: inout [UInt8]) throws -> Int {
    guard case .utf16(let bigEndian) = encoding else { return try raw(&bytes) }
    let before = bytes.count
    while bytes.count == before {
      let got = try raw(&waiting)
      try transcode(bigEndian: bigEndian, atEnd: got == 0, to: &bytes)
      if got == 0 { break }
    }
    return bytes.count - before
  }

  /// Reads a piece in the file's own encoding.
  private func raw(_ bytes: inout [UInt8]) throws -> Int {
    guard head.isEmpty else {
      defer { head = [] }
      bytes += head
      return head.count
    }
    if let packed { return try packed.append(to: &bytes) }
    return try FileBytes.append(upTo: Self.piece, from: descriptor, path: path, to: &bytes)
  }

  /// Appends the waiting bytes as UTF-8, except a character whose end is still missing.
  private func transcode(bigEndian: Bool, atEnd: Bool, to bytes: inout [UInt8]) throws {
    func unit(_ place: Int) -> UInt16 {
      let (a, b) = (UInt16(waiting[place]), UInt16(waiting[place + 1]))
      return bigEndian ? a << 8 | b : b << 8 | a
    }
    func malformed(_ place: Int) -> DataError {
      DataError(
        "is not well-formed UTF-16", file: path, place: "byte \(read + place)",
        cure: "Save the file as UTF-8")
    }
    var place = 0
    while place + 1 < waiting.count {
      let first = unit(place)
      var value = UInt32(first)
      var length = 2
      if UTF16.isLeadSurrogate(first) {
        guard place + 3 < waiting.count else { break }
        let second = unit(place + 2)
        guard UTF16.isTrailSurrogate(second) else { throw malformed(place) }
        value = 0x10000 + (value - 0xD800) << 10 + (UInt32(second) - 0xDC00)
        length = 4
      }
      guard let scalar = Unicode.Scalar(value) else { throw malformed(place) }
      bytes.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
      place += length
    }
    if atEnd, place < waiting.count { throw malformed(place) }
    waiting.removeFirst(place)
    read += place
  }
}
