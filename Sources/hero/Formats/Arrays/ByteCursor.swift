import Foundation

/// A cursor that reads values from a buffer in sequence and checks each against the buffer's end.
///
/// The buffer must outlive the cursor.
struct ByteCursor {
  let buffer: UnsafeRawBufferPointer
  private(set) var position = 0

  init(_ buffer: UnsafeRawBufferPointer) {
    self.buffer = buffer
  }

  var remaining: Int { buffer.count - position }

  /// Returns the next `count` bytes and moves past them.
  mutating func take(_ count: Int) throws -> UnsafeRawBufferPointer {
    guard count >= 0, count <= remaining else {
      throw DataError(
        "\(count) bytes are announced where \(remaining) are left", place: "byte \(position)",
        cure: "The file is cut short or damaged; get it again")
    }
    defer { position += count }
    return UnsafeRawBufferPointer(rebasing: buffer[position..<position + count])
  }

  mutating func byte() throws -> UInt8 {
    try integer(UInt8.self)
  }

  /// Reads the next little-endian integer.
  mutating func integer<Value: FixedWidthInteger>(_ type: Value.Type) throws -> Value {
    Value(littleEndian: try take(MemoryLayout<Value>.size).loadUnaligned(as: Value.self))
  }

  /// Reads a 64-bit little-endian length and throws if it exceeds the bytes left.
  mutating func length64() throws -> Int {
    let start = position
    let value = try integer(UInt64.self)
    guard value <= UInt64(remaining) else {
      throw DataError(
        "\(value) bytes are announced where \(remaining) are left", place: "byte \(start)",
        cure: "The file is cut short or damaged; get it again")
    }
    return Int(value)
  }

  /// Reads the next `count` bytes as text and throws if they are not valid UTF-8.
  mutating func utf8(_ count: Int) throws -> String {
    let start = position
    guard let text = String(validating: try take(count), as: UTF8.self) else {
      throw DataError("text that is not UTF-8", place: "byte \(start)")
    }
    return text
  }

  /// Returns the bytes before the next line feed and moves past the line feed.
  mutating func line() throws -> UnsafeRawBufferPointer {
    guard let end = buffer[position...].firstIndex(of: 0x0a) else {
      throw DataError(
        "a line without an end", place: "byte \(position)",
        cure: "The file is cut short or damaged; get it again")
    }
    let content = try take(end - position)
    position += 1
    return content
  }
}
