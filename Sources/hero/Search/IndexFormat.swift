import Engine
import Formats

/// How a search index lies in its file. All numbers are little-endian.
///
///     0      two slots of 2,048 bytes, of which the valid one with the larger sequence number
///            counts
///     4096   the head: its length, its hash, JSON
///     …      segments, each beginning at a multiple of 4,096
///
/// A slot says how many bytes of the file count. Videos are added by writing a segment behind
/// those, bringing it to the disk and then writing the other slot: a run that ends before that has
/// changed nothing.
enum IndexFormat {
  static let magic: UInt64 = 0x0A58_4449_4F52_4548  // "HEROIDX\n"
  /// What is written. Version 1 has no windows, version 2 other codes; both are read as well.
  static let version: UInt32 = 3
  static let slotSize = 2048
  static let headPlace = 4096
  static let alignment = 4096
  /// No head is longer.
  static let longestHead = 1 << 20

  static func aligned(_ place: Int) -> Int { (place + alignment - 1) / alignment * alignment }
}

/// Numbers one after another, as bytes.
struct NumberBytes {
  private(set) var bytes: [UInt8] = []

  mutating func append(_ value: some FixedWidthInteger) {
    bytes += value.littleEndianBytes
  }

  mutating func append(_ value: Double) { append(value.bitPattern) }
}

/// What of an index's file counts.
struct IndexSlot: Equatable {
  /// The larger of two counts.
  var sequence: UInt64 = 0
  /// Bytes of the file that count.
  var length: UInt64
  var segments: UInt64 = 0
  /// Entries of all segments.
  var entries: UInt64 = 0
  /// Frames of all entries.
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

  /// The slot at a place of a file; nil where none is valid. Throws for another version.
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

  /// The one of the two that counts.
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

/// The beginning of a segment: some videos that were added together.
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
  /// Of the versions 1 and 2.
  static let oldMagic: UInt64 = 0x3147_4553_4F52_4548  // "HEROSEG1"
  static let byteCount = 128

  /// Whether its codes are those of the versions 1 and 2.
  var isOld = false
  var entries: Int
  /// Frames of all entries.
  var rows: Int
  /// Bytes of each part.
  var codes: Int
  var rowBytes: Int
  var text: Int
  /// Of the entries.
  var entryHash: UInt64 = 0
  /// Of codes, rows and text.
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

  /// - Throws: `DataError` where none is there, or where it does not fit into the bytes up to
  ///   `end`.
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
    // Smaller than the file, so that no sum below can overflow.
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

/// Where a segment has one video, or one window of a video.
///
/// Windows of one video follow each other and share its name and its JSON. The first begins at
/// frame 0.
struct IndexEntry: Equatable {
  static let byteCount = 64

  /// The number of its first row among the segment's.
  var firstRow: Int
  var frames: Int
  /// Its name and its JSON in the segment's text.
  var name: Range<Int>
  var information: Range<Int>
  /// Seconds.
  var duration: Double
  /// Bytes of the video's file when it was added; 0 where there is none.
  var fileSize: Int
  /// The frame of the video that is the entry's first.
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

  /// - Parameter text: bytes of the segment's text; ranges outside become empty.
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
