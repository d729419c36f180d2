import Foundation

/// Sequential reading of files, including pipes.
public enum FileBytes {
  /// Reads the whole file.
  /// - Parameter limit: the maximum size in bytes; a larger file throws.
  public static func read(path: String, limit: Int = .max) throws -> [UInt8] {
    let descriptor = try openForReading(path)
    defer { close(descriptor) }
    var status = stat()
    let expected = fstat(descriptor, &status) == 0 ? max(0, Int(status.st_size)) : 0
    guard expected <= limit else { throw tooLong(path, limit) }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(expected + 1)
    while true {
      let wanted = max(expected + 1 - bytes.count, 1 << 16)
      let got = try append(upTo: wanted, from: descriptor, path: path, to: &bytes)
      guard bytes.count <= limit else { throw tooLong(path, limit) }
      if got == 0 { return bytes }
    }
  }

  static func tooLong(_ path: String, _ limit: Int) -> DataError {
    DataError("has more than \(limit >> 20) MB", file: path, cure: "Give the file that is meant")
  }

  /// Calls `body` with each line of what `append` reads piece by piece.
  ///
  /// `append` returns the number of bytes it has read, 0 at the end. Lines end with a line feed, or
  /// with a carriage return if the first megabyte has carriage returns and no line feed. Memory
  /// grows only with the longest line.
  /// - Throws: `DataError` for a line of more than `longest` bytes, and what `append` and `body`
  ///   throw.
  static func forEachLine(
    path: String, longest: Int, reading append: (inout [UInt8]) throws -> Int,
    _ body: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    var pending: [UInt8] = []
    var ending: UInt8?
    var hasReturns = false
    var number = 1
    while true {
      var from = pending.count
      let got = try append(&pending)
      if ending == nil {
        hasReturns = hasReturns || pending[from...].contains(0x0D)
        if pending[from...].contains(0x0A) {
          ending = 0x0A
        } else if hasReturns, got == 0 || pending.count >= 1 << 20 {
          ending = 0x0D
        }
        from = 0
      }
      var start = 0
      try pending.withUnsafeBytes { bytes in
        while let ending, let place = Self.place(of: ending, in: bytes, from: from) {
          try body(UnsafeRawBufferPointer(rebasing: bytes[start..<place]))
          number += 1
          start = place + 1
          from = start
        }
        if got == 0, start < bytes.count {
          try body(UnsafeRawBufferPointer(rebasing: bytes[start...]))
        }
      }
      if got == 0 { return }
      pending.removeFirst(start)
      guard pending.count <= longest else {
        throw DataError(
          "has more than \(longest >> 20) MB", file: path, place: "line \(number)",
          cure: "Give a text file, or divide that row")
      }
    }
  }

  /// Returns the index of the next such byte.
  private static func place(of byte: UInt8, in bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
    guard let base = bytes.baseAddress, start < bytes.count,
      let found = memchr(base + start, Int32(byte), bytes.count - start)
    else { return nil }
    return UnsafeRawPointer(found) - base
  }

  static func openForReading(_ path: String) throws -> Int32 {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw DataError.system("open", file: path) }
    var status = stat()
    if fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFDIR {
      close(descriptor)
      throw DataError("is a folder", file: path, cure: "Give the path of a file")
    }
    return descriptor
  }

  /// Reads once, at most a megabyte, and returns the number of bytes read, 0 at the end.
  static func append(
    upTo count: Int, from descriptor: Int32, path: String, to bytes: inout [UInt8]
  ) throws -> Int {
    let count = min(count, 1 << 20)
    return try withUnsafeTemporaryAllocation(byteCount: count, alignment: 1) { buffer in
      let got = try OpenFile(descriptor, path: path).readOnce(into: buffer)
      bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: buffer[..<got]))
      return got
    }
  }
}
