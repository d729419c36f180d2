import Foundation

/// Reading files, pipes included, from front to back.
public enum FileBytes {
  /// Everything in the file.
  /// - Parameter limit: refuse a file with more bytes.
  public static func read(path: String, limit: Int = .max) throws -> [UInt8] {
    let descriptor = try openForReading(path)
    defer { close(descriptor) }
    var status = stat()
    let expected = fstat(descriptor, &status) == 0 ? max(0, Int(status.st_size)) : 0
    var bytes: [UInt8] = []
    bytes.reserveCapacity(expected + 1)
    while true {
      let wanted = max(expected + 1 - bytes.count, 1 << 16)
      let got = try append(upTo: wanted, from: descriptor, path: path, to: &bytes)
      guard bytes.count <= limit else {
        throw DataError("has more than \(limit >> 20) MB", file: path, cure: "Give the file that is meant")
      }
      if got == 0 { return bytes }
    }
  }

  /// Calls `body` with every line, without its line feed; the bytes are valid only inside it.
  ///
  /// The file is read in pieces, so memory grows with the longest line only.
  public static func forEachLine(
    path: String, _ body: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    let descriptor = try openForReading(path)
    defer { close(descriptor) }
    try forEachLine(reading: { try append(upTo: 1 << 20, from: descriptor, path: path, to: &$0) }, body)
  }

  /// Hands on the lines of what `append` reads piece by piece; it returns the number of bytes got, 0 at the end.
  static func forEachLine(
    reading append: (inout [UInt8]) throws -> Int, _ body: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    var pending: [UInt8] = []
    while true {
      let searched = pending.count
      let got = try append(&pending)
      var start = 0
      try pending.withUnsafeBytes { bytes in
        var from = searched
        while let end = bytes[from...].firstIndex(of: 0x0A) {
          try body(UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
          start = end + 1
          from = start
        }
        if got == 0, start < bytes.count {
          try body(UnsafeRawBufferPointer(rebasing: bytes[start...]))
        }
      }
      if got == 0 { return }
      pending.removeFirst(start)
    }
  }

  private static func openForReading(_ path: String) throws -> Int32 {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw DataError.system("open", file: path) }
    var status = stat()
    if fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFDIR {
      close(descriptor)
      throw DataError("is a folder", file: path, cure: "Give the path of a file")
    }
    return descriptor
  }

  /// Reads once; the number of bytes got, 0 at the end.
  private static func append(
    upTo count: Int, from descriptor: Int32, path: String, to bytes: inout [UInt8]
  ) throws -> Int {
    let old = bytes.count
    bytes.append(contentsOf: repeatElement(0, count: count))
    while true {
      let got = bytes.withUnsafeMutableBytes {
        Foundation.read(descriptor, $0.baseAddress.map { $0 + old }, count)
      }
      if got < 0, errno == EINTR { continue }
      let code = errno
      bytes.removeLast(count - max(0, got))
      if got < 0 { throw DataError.system("read", file: path, code: code) }
      return got
    }
  }
}
