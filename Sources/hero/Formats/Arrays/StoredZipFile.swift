import CZlib

/// A zip archive of stored entries, written to a file one entry at a time to save memory.
final class StoredZipFile {
  private let file: AtomicFile
  private var offset = 0
  private var directory: [UInt8] = []
  private var entries = 0

  /// The alignment of entries' data in bytes, as in PyTorch's archives, for programs that map the
  /// file.
  private static let alignment = 64
  /// The flag for names in UTF-8.
  private static let utf8 = UInt16(0x0800)
  /// The date 1 January 1980, zip's earliest, fixed so that equal input gives equal bytes.
  private static let date = UInt16(0x21)

  init(path: String) throws { file = try AtomicFile(path: path) }

  /// - Throws: `DataError` if the archive exceeds 4 GB, the limit of this form of zip.
  func add(_ name: String, _ bytes: [UInt8]) throws {
    let text = Array(name.utf8)
    let head = 30 + text.count
    // PyTorch pads the same way: with an extra field "FB" of Zs.
    let filling = (Self.alignment - (offset + head + 4) % Self.alignment) % Self.alignment
    let length = head + 4 + filling + bytes.count
    guard offset + length + directory.count + 1 << 16 < Int(UInt32.max), entries < Int(UInt16.max) else {
      throw DataError("the archive becomes larger than 4 GB", file: file.path)
    }
    let sum = bytes.withUnsafeBytes { bytes in
      UInt32(truncatingIfNeeded: crc32_z(0, bytes.bindMemory(to: UInt8.self).baseAddress, bytes.count))
    }
    let common =
      Self.words(20, Self.utf8, 0, 0, Self.date) + Self.long(sum) + Self.long(bytes.count)
      + Self.long(bytes.count) + Self.words(UInt16(text.count))
    try file.write(
      Self.long(0x0403_4B50) + common + Self.words(UInt16(4 + filling)) + text
        + Self.words(0x4246, UInt16(filling)) + [UInt8](repeating: UInt8(ascii: "Z"), count: filling))
    try file.write(bytes)
    directory +=
      Self.long(0x0201_4B50) + Self.words(20) + common + Self.words(0, 0, 0, 0) + Self.long(0)
      + Self.long(offset) + text
    offset += length
    entries += 1
  }

  func finish() throws {
    try file.write(
      directory + Self.long(0x0605_4B50) + Self.words(0, 0, UInt16(entries), UInt16(entries))
        + Self.long(directory.count) + Self.long(offset) + Self.words(0))
    try file.commit()
  }

  private static func words(_ words: UInt16...) -> [UInt8] {
    words.flatMap(\.littleEndianBytes)
  }
  private static func long(_ number: some BinaryInteger) -> [UInt8] {
    UInt32(truncatingIfNeeded: number).littleEndianBytes
  }
}
