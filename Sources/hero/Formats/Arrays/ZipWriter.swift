import CZip
import Foundation

/// A builder of zip archives in memory.
package enum ZipWriter {
  /// Returns an archive of `entries` in order, deflated or stored.
  ///
  /// The date is fixed, so equal input gives equal bytes.
  package static func archive(_ entries: [(name: String, bytes: [UInt8])], compress: Bool) throws -> [UInt8] {
    var error = zip_error_t()
    zip_error_init(&error)
    defer { zip_error_fini(&error) }
    // libzip deletes an archive without entries. An empty archive is an end record and nothing
    // else.
    if entries.isEmpty { return Array("PK".utf8) + [5, 6] + [UInt8](repeating: 0, count: 18) }
    guard let target = zip_source_buffer_create(nil, 0, 0, &error) else { throw failure(&error) }
    defer { zip_source_free(target) }
    guard let handle = zip_open_from_source(target, ZIP_TRUNCATE, &error) else { throw failure(&error) }
    // Closing the archive releases the source, which must still be read.
    zip_source_keep(target)
    do {
      for entry in entries { try add(entry.name, entry.bytes, compress: compress, to: handle) }
      guard zip_close(handle) == 0 else { throw DataError(String(cString: zip_strerror(handle))) }
    } catch {
      zip_discard(handle)
      throw error
    }
    return try contents(of: target)
  }

  /// zlib's default level, which numpy uses too; libzip's default is the slowest, for little gain.
  private static let deflateLevel: zip_uint32_t = 6

  private static func add(_ name: String, _ bytes: [UInt8], compress: Bool, to handle: OpaquePointer) throws {
    // libzip reads the bytes only when the archive is closed.
    let source = try zipSource(of: bytes)
    let index = zip_file_add(handle, name, source, zip_flags_t(ZIP_FL_ENC_UTF_8))
    guard index >= 0 else {
      zip_source_free(source)
      throw DataError(String(cString: zip_strerror(handle)))
    }
    let method = compress ? ZIP_CM_DEFLATE : ZIP_CM_STORE
    // 1 January 1980 is zip's earliest date, which numpy writes too.
    guard zip_set_file_compression(handle, zip_uint64_t(index), method, Self.deflateLevel) == 0,
      zip_file_set_dostime(handle, zip_uint64_t(index), 0, 0x21, 0) == 0
    else { throw DataError(String(cString: zip_strerror(handle))) }
  }

  private static func contents(of source: OpaquePointer) throws -> [UInt8] {
    var status = zip_stat_t()
    guard zip_source_stat(source, &status) == 0, zip_source_open(source) == 0 else {
      throw DataError("the zip archive just made cannot be read back")
    }
    defer { zip_source_close(source) }
    let size = Int(status.size)
    return try [UInt8](unsafeUninitializedCapacity: size) { output, written in
      while written < size {
        let count = zip_source_read(source, output.baseAddress! + written, zip_uint64_t(size - written))
        guard count > 0 else { throw DataError("the zip archive just made cannot be read back") }
        written += Int(count)
      }
    }
  }

  private static func failure(_ error: inout zip_error_t) -> DataError {
    DataError("no zip archive can be made: \(String(cString: zip_error_strerror(&error)))")
  }
}
