import CZip
import Foundation

/// A zip archive opened for reading, in a file or in memory.
///
/// It never allocates more for an entry than the compressed bytes can expand to. Do not use one
/// reader from several threads at once.
public final class ZipReader {
  /// One file in the archive.
  public struct Entry: Sendable {
    /// The path inside the archive.
    public var name: String
    var index: UInt64
    /// The size in bytes after decompression, as the archive's directory states it.
    var size: Int
    var compressedSize: Int
  }

  /// The maximum compression ratio of a deflate stream.
  private static let largestExpansion = 1032
  private static let chunk = 1 << 20

  let file: String?
  /// The files, in the order of the archive's directory.
  public private(set) var entries: [Entry] = []
  private let handle: OpaquePointer
  /// The size of the whole archive in bytes, which no entry's compressed size can exceed.
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
    // libzip accepts empty input as an archive without entries.
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

  /// The default limit of an entry's decompressed size in bytes: 1 GiB, a day of features.
  public static let defaultLimit = 1 << 30

  /// Returns the decompressed bytes of `entry`, after verifying its checksum.
  ///
  /// - Parameter limit: the maximum size in bytes of an entry that decompression enlarges, so that
  ///   a small archive cannot exhaust memory.
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
    // The claimed size may be false, so reserve only as much as features usually expand to.
    bytes.reserveCapacity(min(entry.size, max(entry.compressedSize.multipliedOrMax(by: 8), Self.chunk)))
    let capacity = min(entry.size, Self.chunk) + 1
    let chunk = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
    defer { chunk.deallocate() }
    // libzip compares the checksum only at the end, so read one byte past the claimed size.
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

  /// Returns the first `count` decompressed bytes of `entry`, or fewer if it ends, unverified.
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

  /// Returns why an entry cannot be opened: it may be intact, but compressed in an unsupported way.
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

/// Returns a libzip source for a copy of `bytes`, which libzip frees.
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
  /// Returns the product, or the largest integer if it overflows.
  func multipliedOrMax(by other: Int) -> Int {
    let (product, overflow) = multipliedReportingOverflow(by: other)
    return overflow ? .max : product
  }
}
