import CFileFaults
import Foundation

/// A file mapped read-only into memory, with every access checked against its length.
///
/// The system loads pages as they are touched and may reclaim them, so opening costs nothing. If
/// the file system cannot map the file, the whole file is read instead. If the file shrinks while
/// it is open, the program ends with a message that names it (`CFileFaults`). If it is replaced or
/// deleted, reads still return its old content.
public final class MappedFile: Sendable {
  /// The path, as the user named it.
  public let path: String
  /// The file's length in bytes.
  public let count: Int

  private nonisolated(unsafe) let base: UnsafeRawPointer?
  private let isMapped: Bool

  /// The fault handler's installation, which happens once, with the first mapped file.
  private static let faultsAreTold: Void = hero_file_faults_install()

  /// Maps the whole file at `path`; an empty file maps to no bytes.
  ///
  /// Throws `DataError` if the path is missing, unreadable or not a plain file.
  public init(path: String) throws {
    let (descriptor, size) = try PlainFile.open(path)
    defer { close(descriptor) }
    self.path = path
    count = size
    guard count > 0 else {
      (base, isMapped) = (nil, false)
      return
    }
    if let address = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0), address != MAP_FAILED {
      Self.faultsAreTold
      (base, isMapped) = (UnsafeRawPointer(address), true)
    } else {
      (base, isMapped) = (try Self.read(descriptor, count: count, file: path), false)
    }
  }

  deinit {
    guard let base = UnsafeMutableRawPointer(mutating: base) else { return }
    if isMapped { munmap(base, count) } else { free(base) }
  }

  /// Reads the whole file into memory that the caller must `free`.
  private static func read(_ descriptor: Int32, count: Int, file: String) throws -> UnsafeRawPointer {
    guard let memory = malloc(count) else { throw DataError.system("read", file: file) }
    do {
      let buffer = UnsafeMutableRawBufferPointer(start: memory, count: count)
      guard try OpenFile(descriptor, path: file).read(into: buffer, at: 0) == count else {
        throw DataError.system("read", file: file, code: EIO)
      }
    } catch {
      free(memory)
      throw error
    }
    return UnsafeRawPointer(memory)
  }

  /// Runs `body` on `length` bytes from `offset`; the pointer is valid only inside it.
  ///
  /// Throws `DataError` if the range is not wholly inside the file.
  public func withBytes<Result>(
    at offset: Int, count length: Int, _ body: (UnsafeRawBufferPointer) throws -> Result
  ) throws -> Result {
    guard offset >= 0, length >= 0, offset <= count, length <= count - offset else {
      throw DataError(
        "\(length) bytes asked for, but the file has \(count)", file: path, place: "byte \(offset)",
        cure: "The file is cut short or damaged; get it again")
    }
    return try withExtendedLifetime(self) {
      try body(UnsafeRawBufferPointer(start: base.map { $0 + offset }, count: length))
    }
  }

  /// Runs `body` on all bytes of the file.
  public func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) throws -> Result {
    try withBytes(at: 0, count: count, body)
  }

  /// Returns a copy of `length` bytes from `offset`.
  public func bytes(at offset: Int, count length: Int) throws -> [UInt8] {
    try withBytes(at: offset, count: length) { [UInt8]($0) }
  }

  /// Returns the little-endian integer at `offset`, which need not be aligned.
  public func integer<Value: FixedWidthInteger>(at offset: Int, as type: Value.Type) throws -> Value {
    try withBytes(at: offset, count: MemoryLayout<Value>.size) {
      Value(littleEndian: $0.loadUnaligned(as: Value.self))
    }
  }
}
