import Foundation

/// The pages of an LMDB file, with every access checked.
///
/// The layout is that of liblmdb 0.9 on 64-bit little-endian machines: two meta pages, then branch,
/// leaf and overflow pages of one copy-on-write B+ tree. liblmdb itself trusts its input and
/// crashes on a damaged file; it also wants to write a lock file. Pages are read, not mapped. So
/// memory stays flat however large the store is, and a file that shrinks under a reader causes an
/// error instead of a crash.
final class LMDBFile: Sendable {
  let path: String
  /// The size of a page in bytes.
  let pageSize: Int
  /// The number of entries in the newest commit.
  let entries: Int
  /// The page at the root of the tree; nil if the tree is empty.
  let root: Int?
  let lastPage: Int

  private let descriptor: Int32

  private static let magic: UInt32 = 0xBEEF_C0DE
  private static let headerSize = 16
  /// The maximum size of a value in bytes, because a sparse file may claim more than it stores.
  private static let longestValue = 1 << 30
  /// The maximum depth of the tree, as in liblmdb's own cursors.
  static let depthLimit = 32

  init(path: String) throws {
    self.path = path
    let (descriptor, size) = try PlainFile.open(path)
    do {
      let meta = try Self.newestMeta(descriptor, size: size, path: path)
      pageSize = meta.pageSize
      entries = meta.entries
      root = meta.root
      lastPage = meta.lastPage
      if meta.lastPage >= size / meta.pageSize {
        let needed = meta.lastPage.multipliedReportingOverflow(by: meta.pageSize)
        throw DataError(
          "the store is cut short: it has \(size) bytes, but speaks of a page at byte "
            + (needed.overflow ? "beyond any file" : "\(needed.partialValue)"),
          file: path, cure: "Copy or download it again, whole")
      }
    } catch {
      close(descriptor)
      throw error
    }
    self.descriptor = descriptor
  }

  deinit { close(descriptor) }

  // MARK: - Meta pages

  private struct Meta {
    var pageSize: Int
    var entries: Int
    var root: Int?
    var lastPage: Int
    var transaction: UInt64
  }

  /// Returns the meta page of the newest commit; LMDB writes the two in turn.
  private static func newestMeta(_ descriptor: Int32, size: Int, path: String) throws -> Meta {
    guard size > 0 else {
      throw DataError("the file is empty", file: path, cure: "Copy or download it again, whole")
    }
    let first: Meta
    do { first = try meta(descriptor, offset: 0, path: path) } catch let error as DataError {
      throw error.naming(FileKind(path: path))
    }
    let second: Meta?
    do { second = try meta(descriptor, offset: first.pageSize, path: path) } catch { second = nil }
    guard let second, second.transaction > first.transaction, second.pageSize == first.pageSize
    else { return first }
    return second
  }

  private static func meta(_ descriptor: Int32, offset: Int, path: String) throws -> Meta {
    let bytes = try read(descriptor, offset: offset, count: 152, path: path)
    return try bytes.withUnsafeBytes { page in
      func damaged(_ problem: String) -> DataError {
        DataError(problem, file: path, cure: "Give an LMDB store's folder, or make or download it again")
      }
      guard page.integer(16, UInt32.self) == magic else { throw damaged("not an LMDB file") }
      let version = page.integer(20, UInt32.self)
      guard version == 1 else { throw damaged("LMDB data version \(version) is not known") }
      let pageSize = Int(page.integer(40, UInt32.self))
      guard pageSize.nonzeroBitCount == 1, (256...65536).contains(pageSize) else {
        throw damaged("the LMDB page size is \(pageSize)")
      }
      let flags = page.integer(88 + 4, UInt16.self)
      guard flags & 0x7F == 0 else {
        throw damaged("this kind of LMDB database (flags \(flags)) is not a store")
      }
      let entries = page.integer(88 + 32, UInt64.self)
      let root = page.integer(88 + 40, UInt64.self)
      let last = page.integer(136, UInt64.self)
      guard let lastPage = Int(exactly: last), let count = Int(exactly: entries) else {
        throw damaged("the LMDB meta page is damaged")
      }
      if root != .max, root > last { throw damaged("the LMDB root page is beyond the last page") }
      return Meta(
        pageSize: pageSize, entries: count, root: root == .max ? nil : Int(root), lastPage: lastPage,
        transaction: page.integer(144, UInt64.self))
    }
  }

  // MARK: - Pages

  private static func read(_ descriptor: Int32, offset: Int, count: Int, path: String) throws -> [UInt8] {
    let bytes = try [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      let room = UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[..<count])
      initialized = try OpenFile(descriptor, path: path).read(into: room, at: offset)
    }
    guard bytes.count == count else {
      throw DataError(
        "the file ends inside a page", file: path, place: "byte \(offset + bytes.count)",
        cure: "Copy or download it again, whole")
    }
    return bytes
  }

  func damaged(_ problem: String, page: Int) -> DataError {
    DataError(
      "the store is damaged: \(problem)", file: path, place: "page \(page)",
      cure: "Make or download it again")
  }

  /// Reads the branch or leaf page `number`.
  func page(_ number: Int) throws -> LMDBPage {
    guard number > 1, number <= lastPage else {
      throw damaged("it refers to a page that is not there", page: number)
    }
    let bytes = try Self.read(descriptor, offset: number * pageSize, count: pageSize, path: path)
    guard let page = LMDBPage(number: number, bytes: bytes) else {
      throw damaged("it is not a branch or leaf page", page: number)
    }
    return page
  }

  /// Reads the `count` bytes that begin on the overflow page `number`.
  func overflow(_ number: Int, count: Int) throws -> [UInt8] {
    guard count <= Self.longestValue else { throw damaged("a value of \(count) bytes", page: number) }
    let pages = (Self.headerSize + count + pageSize - 1) / pageSize
    guard number > 1, number <= lastPage, pages - 1 <= lastPage - number else {
      throw damaged("a value refers to pages that are not there", page: number)
    }
    let offset = number * pageSize
    let header = try Self.read(descriptor, offset: offset, count: Self.headerSize, path: path)
    let (stored, flags, length) = header.withUnsafeBytes {
      ($0.integer(0, UInt64.self), $0.integer(10, UInt16.self), $0.integer(12, UInt32.self))
    }
    guard stored == UInt64(number), flags & 0x04 != 0, pages <= Int(length) else {
      throw damaged("it is not the overflow page of a value of \(count) bytes", page: number)
    }
    return try Self.read(descriptor, offset: offset + Self.headerSize, count: count, path: path)
  }
}

/// A branch or leaf page: nodes in the order of their keys.
struct LMDBPage {
  let number: Int
  let isLeaf: Bool
  let count: Int
  private let bytes: [UInt8]

  /// Parses a page; nil if `bytes` are not a branch or leaf page.
  init?(number: Int, bytes: [UInt8]) {
    let (stored, flags, lower) = bytes.withUnsafeBytes {
      ($0.integer(0, UInt64.self), $0.integer(10, UInt16.self), Int($0.integer(12, UInt16.self)))
    }
    // Branch is 1 and leaf is 2. 0x20 and 0x40 mark pages of sorted duplicates, which no store has.
    guard stored == UInt64(number), flags & 0x6F == 1 || flags & 0x6F == 2, lower >= 16,
      lower <= bytes.count, lower % 2 == 0
    else { return nil }
    self.number = number
    self.bytes = bytes
    isLeaf = flags & 2 != 0
    count = (lower - 16) / 2
  }

  /// The content of a node besides its key.
  enum Content {
    case child(Int)
    case value(Range<Int>)
    case overflow(page: Int, count: Int)
    /// A named database, whose entries have a tree of their own.
    case database
  }

  /// Returns the place of node `index`'s key, and its content; nil if the node is damaged.
  func node(_ index: Int) -> (key: Range<Int>, content: Content)? {
    guard index >= 0, index < count else { return nil }
    return bytes.withUnsafeBytes { page in
      let offset = Int(page.integer(16 + 2 * index, UInt16.self))
      guard offset >= 16, offset <= page.count - 8 else { return nil }
      let low = UInt64(page.integer(offset, UInt16.self))
      let high = UInt64(page.integer(offset + 2, UInt16.self))
      let flags = page.integer(offset + 4, UInt16.self)
      let keyStart = offset + 8
      let keyEnd = keyStart + Int(page.integer(offset + 6, UInt16.self))
      guard keyEnd <= page.count else { return nil }
      let key = keyStart..<keyEnd
      if !isLeaf { return (key, .child(Int(low | high << 16 | UInt64(flags) << 32))) }
      let size = Int(low | high << 16)
      switch flags {
      case 0:
        guard size <= page.count - keyEnd else { return nil }
        return (key, .value(keyEnd..<keyEnd + size))
      case 1:
        guard keyEnd + 8 <= page.count, let target = Int(exactly: page.integer(keyEnd, UInt64.self))
        else { return nil }
        return (key, .overflow(page: target, count: size))
      case 2: return (key, .database)
      default: return nil
      }
    }
  }

  func copy(_ range: Range<Int>) -> [UInt8] { Array(bytes[range]) }

  /// Returns a number below, at or above 0 if `key` is before, equal to or after the bytes at
  /// `range`.
  func compare(_ key: [UInt8], with range: Range<Int>) -> Int {
    bytes.withUnsafeBytes { page in
      key.withUnsafeBytes { key in
        let common = min(key.count, range.count)
        for place in 0..<common where key[place] != page[range.lowerBound + place] {
          return Int(key[place]) - Int(page[range.lowerBound + place])
        }
        return key.count - range.count
      }
    }
  }
}

extension UnsafeRawBufferPointer {
  /// Returns the little-endian integer at `offset`, which the caller has checked to be inside.
  fileprivate func integer<Value: FixedWidthInteger>(_ offset: Int, _ type: Value.Type) -> Value {
    Value(littleEndian: loadUnaligned(fromByteOffset: offset, as: Value.self))
  }
}
