import CZip
import Foundation

/// A zip archive opened for reading, in a file or in memory.
///
/// No entry makes it allocate more than its compressed bytes can possibly hold. Not for use from
/// several threads at once.
public final class ZipReader {
  /// One file in the archive.
  public struct Entry: Sendable {
    /// The path inside the archive.
    public var name: String
    var index: UInt64
    /// Bytes after decompression, as the archive's directory says.
    var size: Int
    var compressedSize: Int
  }

  /// A deflate stream cannot expand by more than this.
  private static let largestExpansion = 1032
  private static let chunk = 1 << 20

  let file: String?
  /// The files, in the order of the archive's directory.
  public private(set) var entries: [Entry] = []
  private let handle: OpaquePointer
  /// Bytes of the whole archive, which no entry's compressed bytes can exceed.
  private let archiveSize: Int

  /// Opens the archive at `path`.
  public init(path: String) throws {
    file = path
    let (descriptor, size) = try PlainFile.open(path)
    close(descriptor)
    archiveSize = size
    guard archiveSize > 0 else { throw Self.emptyFile(path) }
    var code: Int32 = 0
    guard let handle = zip_open(path, ZIP_RDONLY, &code) else {
      var error = zip_error_t()
      zip_error_init_with_code(&error, code)
      defer { zip_error_fini(&error) }
      let failure = Self.failure(&error, file: path)
      throw NPZ.recognizes(Self.head(path)) ? failure : failure.naming(FileKind(path: path))
    }
    self.handle = handle
    try readDirectory()
  }

  private static func head(_ path: String) -> [UInt8] {
    guard let file = FileHandle(forReadingAtPath: path) else { return [] }
    defer { try? file.close() }
    return [UInt8]((try? file.read(upToCount: 4)) ?? Data())
  }

  /// Opens an archive held in `bytes`.
  init(bytes: [UInt8], file: String?) throws {
    self.file = file
    // libzip takes no bytes at all for an archive without entries.
    guard !bytes.isEmpty else { throw Self.emptyFile(file) }
    archiveSize = bytes.count
    var error = zip_error_t()
    zip_error_init(&error)
    defer { zip_error_fini(&error) }
    let source = try zipSource(of: bytes)
    guard let handle = zip_open_from_source(source, ZIP_RDONLY, &error) else {
      zip_source_free(source)
      throw Self.failure(&error, file: file)
    }
    self.handle = handle
    try readDirectory()
  }

  deinit { zip_discard(handle) }

  /// The most that an entry's bytes may become by default: 1 GiB, a day of features.
  public static let defaultLimit = 1 << 30

  /// The decompressed bytes of `entry`, its checksum verified.
  ///
  /// - Parameter limit: the number of bytes beyond which an entry that decompression enlarges is
  ///   refused, so that a small archive cannot take all memory.
  public func read(_ entry: Entry, limit: Int = defaultLimit) throws -> [UInt8] {
    guard entry.size <= max(limit, entry.compressedSize) else {
      throw damaged(entry, "decompresses to \(entry.size) bytes, more than the \(limit) that are read")
    }
    guard entry.compressedSize <= archiveSize, entry.size / Self.largestExpansion <= entry.compressedSize
    else {
      throw damaged(
        entry,
        "claims \(entry.size) bytes from \(entry.compressedSize) compressed ones, which cannot be so "
          + "in an archive of \(archiveSize)")
    }
    guard let stream = zip_fopen_index(handle, entry.index, 0) else {
      throw unopened(entry)
    }
    defer { zip_fclose(stream) }
    var bytes: [UInt8] = []
    // What the directory claims is believed at first only as far as features usually shrink.
    bytes.reserveCapacity(min(entry.size, max(entry.compressedSize.multipliedOrMax(by: 8), Self.chunk)))
    let capacity = min(entry.size, Self.chunk) + 1
    let chunk = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
    defer { chunk.deallocate() }
    // Reading on to the end, one byte past what is claimed, is what has the checksum compared.
    while true {
      let count = zip_fread(stream, chunk, zip_uint64_t(capacity))
      guard count >= 0 else {
        throw damaged(entry, "cannot be read: \(String(cString: zip_file_strerror(stream)))")
      }
      if count == 0 { break }
      bytes.append(contentsOf: UnsafeRawBufferPointer(start: chunk, count: Int(count)))
      guard bytes.count <= entry.size else {
        throw damaged(entry, "holds more than the \(entry.size) bytes it claims")
      }
    }
    guard bytes.count == entry.size else {
      throw damaged(entry, "ends after \(bytes.count) of \(entry.size) bytes")
    }
    return bytes
  }

  /// The first `count` decompressed bytes of `entry`, fewer if it has no more; nothing is verified.
  func head(_ entry: Entry, count: Int) throws -> [UInt8] {
    guard let stream = zip_fopen_index(handle, entry.index, 0) else {
      throw unopened(entry)
    }
    defer { zip_fclose(stream) }
    guard count > 0 else { return [] }
    return try [UInt8](unsafeUninitializedCapacity: count) { buffer, written in
      let read = zip_fread(stream, buffer.baseAddress!, zip_uint64_t(count))
      guard read >= 0 else {
        throw damaged(entry, "cannot be read: \(String(cString: zip_file_strerror(stream)))")
      }
      written = Int(read)
    }
  }

  private func readDirectory() throws {
    let count = zip_get_num_entries(handle, 0)
    guard count >= 0 else { throw DataError("a zip archive without a directory", file: file) }
    for index in 0..<zip_uint64_t(count) {
      var status = zip_stat_t()
      zip_stat_init(&status)
      let needed = zip_uint64_t(ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE)
      guard zip_stat_index(handle, index, 0, &status) == 0, status.valid & needed == needed,
        let name = status.name, let size = Int(exactly: status.size),
        let compressedSize = Int(exactly: status.comp_size)
      else { throw DataError("a damaged directory of the zip archive", file: file, place: "entry \(index)") }
      entries.append(
        Entry(name: String(cString: name), index: index, size: size, compressedSize: compressedSize))
    }
  }

  /// Why an entry could not be opened: it may be whole, in an unsupported compression.
  private func unopened(_ entry: Entry) -> DataError {
    let problem = "cannot be opened: \(String(cString: zip_strerror(handle)))"
    let unsupported = [ZIP_ER_COMPNOTSUPP, ZIP_ER_ENCRNOTSUPP, ZIP_ER_NOPASSWD, ZIP_ER_WRONGPASSWD]
    guard unsupported.contains(zip_error_code_zip(zip_get_error(handle))) else {
      return damaged(entry, problem)
    }
    return DataError(
      "the entry \(problem)", file: file, place: "entry “\(entry.name)”",
      cure: "Save it without a password, stored or deflated, as numpy.savez and numpy.savez_compressed do")
  }

  private func damaged(_ entry: Entry, _ what: String) -> DataError {
    DataError(
      "the entry \(what)", file: file, place: "entry “\(entry.name)”",
      cure: "The file is cut short or damaged; get it again")
  }

  private static func emptyFile(_ file: String?) -> DataError {
    DataError("the file is empty", file: file, cure: "The file is cut short; get it again")
  }

  private static func failure(_ error: inout zip_error_t, file: String?) -> DataError {
    DataError(
      "not a readable zip archive (\(String(cString: zip_error_strerror(&error))))", file: file,
      cure: "The file is cut short or of another kind; get it again")
  }
}

/// What libzip reads bytes from: a copy, which it frees itself.
func zipSource(of bytes: [UInt8]) throws -> OpaquePointer {
  let copy = malloc(max(bytes.count, 1))
  bytes.withUnsafeBytes { if let base = $0.baseAddress { copy?.copyMemory(from: base, byteCount: $0.count) } }
  guard let copy, let source = zip_source_buffer_create(copy, zip_uint64_t(bytes.count), 1, nil) else {
    free(copy)
    throw DataError("out of memory for \(bytes.count) bytes")
  }
  return source
}

extension Int {
  /// The product, or the largest integer where it does not fit.
  func multipliedOrMax(by other: Int) -> Int {
    let (product, overflow) = multipliedReportingOverflow(by: other)
    return overflow ? .max : product
  }
}
