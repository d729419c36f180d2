import Engine
import Formats

/// The layout of a search index in its file.
///
/// All numbers are little-endian.
///
///     0      two slots of 2,048 bytes, of which the valid one with the larger sequence number
///            counts
///     4096   the head: its length, its hash, JSON
///     …      segments, each beginning at a multiple of 4,096
///
/// A slot says how many bytes of the file are valid. Adding videos writes a segment behind those
/// bytes, flushes it to the disk and then writes the other slot. A run that ends earlier changes
/// nothing.
enum IndexFormat {
  static let magic: UInt64 = 0x0A58_4449_4F52_4548  // "HEROIDX\n"
  /// The version that is written.
  ///
  /// Version 1 has no windows, version 2 other codes; both can be read.
  static let version: UInt32 = 3
  static let slotSize = 2048
  static let headPlace = 4096
  static let alignment = 4096
  /// The maximum length of a head in bytes.
  static let longestHead = 1 << 20

  static func aligned(_ place: Int) -> Int { (place + alignment - 1) / alignment * alignment }
}

/// A sequence of numbers, encoded as bytes.
struct NumberBytes {
  private(set) var bytes: [UInt8] = []

  mutating func append(_ value: some FixedWidthInteger) {
    bytes += value.littleEndianBytes
  }

  mutating func append(_ value: Double) { append(value.bitPattern) }
}

/// A slot: the record of how much of an index's file is valid.
struct IndexSlot: Equatable {
  /// The number of commits; of two slots, the one with the larger number is valid.
  var sequence: UInt64 = 0
  /// The number of valid bytes in the file.
  var length: UInt64
  var segments: UInt64 = 0
  /// The number of entries in all segments.
  var entries: UInt64 = 0
  /// The number of frames of all entries.
  var rows: UInt64 = 0

  static let byteCount = 64

  init(length: Int) { self.length = UInt64(length) }

  var bytes: [UInt8] {
    var numbers = NumberBytes()
    numbers.append(IndexFormat.magic)
    numbers.append(IndexFormat.version)
    numbers.append(UInt32(0))
    for value in [sequence, length, segments, entries, rows] { numbers.append(value) }
    numbers.append(ContentHash.of(numbers.bytes))
    return numbers.bytes
  }

  /// Reads the slot at an offset in a file; nil if it is invalid.
  ///
  /// Throws for an unknown version.
  init?(_ file: MappedFile, at place: Int) throws {
    guard file.count >= place + Self.byteCount else { return nil }
    let bytes = try file.bytes(at: place, count: Self.byteCount)
    func number(_ index: Int) throws -> UInt64 { try file.integer(at: place + 8 * index, as: UInt64.self) }
    guard try number(0) == IndexFormat.magic, try number(7) == ContentHash.of(Array(bytes.prefix(56))) else {
      return nil
    }
    let version = try file.integer(at: place + 8, as: UInt32.self)
    guard (1...IndexFormat.version).contains(version) else {
      throw DataError(
        "is of version \(version) of the format, this program reads versions up to \(IndexFormat.version)",
        file: file.path, cure: "Make the index again, or use the program that made it")
    }
    (sequence, length, segments) = (try number(2), try number(3), try number(4))
    (entries, rows) = (try number(5), try number(6))
  }

  /// Returns the valid slot with the larger sequence number.
  static func newest(in file: MappedFile) throws -> IndexSlot {
    let slots = try [0, IndexFormat.slotSize].compactMap { try IndexSlot(file, at: $0) }
    guard let newest = slots.max(by: { $0.sequence < $1.sequence }) else {
      throw DataError(
        "is no search index, or its beginning is damaged", file: file.path,
        cure: "Give a file that 'hero index' made"
      ).naming(FileKind(path: file.path))
    }
    try IndexChecks.require(newest, file: file)
    guard newest.length <= UInt64(file.count) else {
      throw DataError(
        "has \(file.count) of its \(newest.length) bytes", file: file.path,
        cure: "The file is cut short: copy it again, or make it again")
    }
    return newest
  }
}

/// The head of a segment: a group of videos that were added together.
///
///     0      this
///     128    codes of all frames (`FrameCodeLayout`), or of older versions entry after entry
///            (`VideoCodeLayout`)
///     …      rows, entry after entry
///     …      the entries, 64 bytes each: a video, or a window of one that is longer than the
///            model reads
///     …      names and what else is known of the videos, as JSON
struct IndexSegmentHead: Equatable {
  static let magic: UInt64 = 0x3247_4553_4F52_4548  // "HEROSEG2"
  /// The magic number of versions 1 and 2.
  static let oldMagic: UInt64 = 0x3147_4553_4F52_4548  // "HEROSEG1"
  static let byteCount = 128

  /// Whether its codes have the layout of versions 1 and 2.
  var isOld = false
  var entries: Int
  /// The number of frames of all entries.
  var rows: Int
  /// The size of each part in bytes.
  var codes: Int
  var rowBytes: Int
  var text: Int
  /// The hash of the entries.
  var entryHash: UInt64 = 0
  /// The hash of codes, rows and text.
  var contentHash: UInt64 = 0

  var codePlace: Int { Self.byteCount }
  var rowPlace: Int { codePlace + codes }
  var entryPlace: Int { rowPlace + rowBytes }
  var textPlace: Int { entryPlace + entries * IndexEntry.byteCount }
  var byteCount: Int { textPlace + text }

  var bytes: [UInt8] {
    var numbers = NumberBytes()
    numbers.append(isOld ? Self.oldMagic : Self.magic)
    for value in [entries, rows, codes, rowBytes, text] { numbers.append(UInt64(value)) }
    numbers.append(entryHash)
    numbers.append(contentHash)
    numbers.append(ContentHash.of(numbers.bytes))
    return numbers.bytes + [UInt8](repeating: 0, count: Self.byteCount - numbers.bytes.count)
  }

  init(entries: Int, rows: Int, codes: Int, rowBytes: Int, text: Int) {
    (self.entries, self.rows, self.codes, self.rowBytes, self.text) = (entries, rows, codes, rowBytes, text)
  }

  /// Reads the head of a segment.
  ///
  /// - Throws: `DataError` where there is no head, or where the segment does not end by `end`.
  init(_ file: MappedFile, at place: Int, end: Int, layout: StoredRowLayout) throws {
    let width = layout.width
    let bytes = try file.bytes(at: place, count: Self.byteCount)
    func number(_ index: Int) throws -> UInt64 { try file.integer(at: place + 8 * index, as: UInt64.self) }
    let damaged = DataError(
      "the videos from here on cannot be read", file: file.path, place: "byte \(place)",
      cure: "The file is damaged: copy it again, or make it again")
    let magic = try number(0)
    guard magic == Self.magic || magic == Self.oldMagic,
      try number(8) == ContentHash.of(Array(bytes.prefix(64)))
    else { throw damaged }
    let sizes = try (1...5).map { try number($0) }
    // No size exceeds the file's, so no sum below overflows.
    guard sizes.allSatisfy({ $0 <= UInt64(file.count) }) else { throw damaged }
    self.init(
      entries: Int(sizes[0]), rows: Int(sizes[1]), codes: Int(sizes[2]), rowBytes: Int(sizes[3]),
      text: Int(sizes[4]))
    (entryHash, contentHash) = (try number(6), try number(7))
    isOld = magic == Self.oldMagic
    let expected =
      isOld
      ? VideoCodeLayout(width: width).bytes(videos: entries, frames: rows)
      : FrameCodeLayout(width: width).bytes(frames: rows)
    guard codes == expected, rowBytes == rows * layout.rowBytes, byteCount <= end - place
    else { throw damaged }
  }
}

/// The location of one video, or of one window of a video, in a segment.
///
/// The windows of a video follow each other and share its name and its JSON. The first begins at
/// frame 0.
struct IndexEntry: Equatable {
  static let byteCount = 64

  /// The number of its first row within the segment.
  var firstRow: Int
  var frames: Int
  /// The range of its name in the segment's text; `information` is that of its JSON.
  var name: Range<Int>
  var information: Range<Int>
  /// The duration in seconds.
  var duration: Double
  /// The size in bytes of the video's file when it was added; 0 if there is no file.
  var fileSize: Int
  /// The frame of the video at which the entry begins.
  var offset = 0

  var bytes: [UInt8] {
    var numbers = NumberBytes()
    numbers.append(UInt64(firstRow))
    numbers.append(UInt32(clamping: frames))
    numbers.append(UInt32(clamping: name.count))
    numbers.append(UInt64(name.lowerBound))
    numbers.append(UInt64(information.lowerBound))
    numbers.append(UInt64(information.count))
    numbers.append(duration)
    numbers.append(UInt64(fileSize))
    numbers.append(UInt32(clamping: offset))
    numbers.append(UInt32(0))
    return numbers.bytes
  }

  init(
    firstRow: Int, frames: Int, name: Range<Int>, information: Range<Int>, duration: Double, fileSize: Int,
    offset: Int
  ) {
    (self.firstRow, self.frames, self.name, self.offset) = (firstRow, frames, name, offset)
    (self.information, self.duration, self.fileSize) = (information, duration, fileSize)
  }

  /// Reads an entry from its bytes.
  ///
  /// - Parameter text: the number of bytes in the segment's text; ranges outside it become empty.
  init(_ bytes: UnsafeRawBufferPointer, text: Int) {
    func number(_ place: Int) -> Int {
      Int(clamping: UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self)))
    }
    func small(_ place: Int) -> Int {
      Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt32.self)))
    }
    func range(_ start: Int, _ count: Int) -> Range<Int> {
      start <= text && count <= text - start ? start..<start + count : 0..<0
    }
    firstRow = number(0)
    frames = small(8)
    name = range(number(16), small(12))
    information = range(number(24), number(32))
    duration = Double(
      bitPattern: UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 40, as: UInt64.self)))
    fileSize = number(48)
    offset = small(56)
  }
}
