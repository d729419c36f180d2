import Foundation
import SystemPackage

/// Whole stretches of an open file, by swift-system's `FileDescriptor`: a signal or a transfer of
/// fewer bytes does not show.
public struct OpenFile {
  private let descriptor: FileDescriptor
  /// As errors name it.
  private let path: String

  /// - Parameters:
  ///   - descriptor: stays open.
  ///   - path: as errors name it.
  public init(_ descriptor: Int32, path: String) {
    (self.descriptor, self.path) = (FileDescriptor(rawValue: descriptor), path)
  }

  /// Fills a buffer from a place on.
  /// - Returns: bytes read, fewer where the file ends.
  /// - Throws: `DataError` where the system refuses.
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

  /// Reads once where the file stands, as pipes give it.
  /// - Returns: bytes read, 0 at the end.
  func readOnce(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    try told("read") { try descriptor.read(into: buffer) }
  }

  /// Writes all of some bytes.
  /// - Parameters:
  ///   - offset: the place; nil for where the file stands.
  ///   - done: bytes that are written already; counts on, also where the rest fails.
  /// - Throws: `DataError` where the system refuses.
  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int? = nil, done: inout Int) throws {
    while done < bytes.count {
      let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
      let written = try told("write") {
        try offset.map { try descriptor.write(toAbsoluteOffset: Int64($0 + done), rest) }
          ?? descriptor.write(rest)
      }
      // A system that takes nothing would be asked for ever.
      guard written > 0 else { throw DataError.system("write", file: path, code: EIO) }
      done += written
    }
  }

  /// Writes all of some bytes.
  /// - Parameter offset: the place; nil for where the file stands.
  /// - Throws: `DataError` where the system refuses.
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
