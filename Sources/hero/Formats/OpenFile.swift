import Foundation
import SystemPackage

/// An open file that reads and writes whole ranges through swift-system's `FileDescriptor`.
///
/// It hides signals and partial transfers.
public struct OpenFile {
  private let descriptor: FileDescriptor
  /// The path in error messages.
  private let path: String

  /// - Parameters:
  ///   - descriptor: an open file, which this does not close.
  ///   - path: the path in error messages.
  public init(_ descriptor: Int32, path: String) {
    (self.descriptor, self.path) = (FileDescriptor(rawValue: descriptor), path)
  }

  /// Fills a buffer from an offset of the file on.
  /// - Returns: the number of bytes read, less than the buffer's size if the file ends.
  /// - Throws: `DataError` if the system reports an error.
  public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws -> Int {
    var done = 0
    while done < buffer.count {
      let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
      let got = try told("read") { try descriptor.read(fromAbsoluteOffset: Int64(offset + done), into: rest) }
      if got == 0 { break }
      done += got
    }
    return done
  }

  /// Reads once at the current position, as much as a pipe gives.
  /// - Returns: the number of bytes read, 0 at the end.
  func readOnce(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    try told("read") { try descriptor.read(into: buffer) }
  }

  /// Writes all bytes.
  /// - Parameters:
  ///   - offset: the offset in the file; nil for the current position.
  ///   - done: the number of bytes already written, which advances even if the rest fails.
  /// - Throws: `DataError` if the system reports an error.
  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int? = nil, done: inout Int) throws {
    while done < bytes.count {
      let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
      let written = try told("write") {
        try offset.map { try descriptor.write(toAbsoluteOffset: Int64($0 + done), rest) }
          ?? descriptor.write(rest)
      }
      // Without this check, a system that accepts no bytes would be asked forever.
      guard written > 0 else { throw DataError.system("write", file: path, code: EIO) }
      done += written
    }
  }

  /// Writes all bytes.
  /// - Parameter offset: the offset in the file; nil for the current position.
  /// - Throws: `DataError` if the system reports an error.
  public func write(_ bytes: UnsafeRawBufferPointer, at offset: Int? = nil) throws {
    var done = 0
    try write(bytes, at: offset, done: &done)
  }

  private func told(_ action: String, _ body: () throws -> Int) throws -> Int {
    do { return try body() } catch let error as Errno {
      throw DataError.system(action, file: path, code: error.rawValue)
    }
  }
}
