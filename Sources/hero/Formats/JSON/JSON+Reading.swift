import Foundation

extension JSON {
  /// Parses the one value that `bytes` hold; errors name `file` and the line.
  public static func parse(_ bytes: UnsafeRawBufferPointer, file: String? = nil) throws -> JSON {
    var parser = JSONParser(bytes, file: file)
    return try parser.parseDocument()
  }

  /// Parses the one value that `bytes` hold; errors name `file` and the line.
  public static func parse(_ bytes: [UInt8], file: String? = nil) throws -> JSON {
    try bytes.withUnsafeBytes { try parse($0, file: file) }
  }

  /// Parses the one value that `text` holds.
  public static func parse(_ text: String, file: String? = nil) throws -> JSON {
    var text = text
    return try text.withUTF8 { try parse(UnsafeRawBufferPointer($0), file: file) }
  }

  /// Reads the value that the file holds.
  /// - Parameter limit: the maximum size in bytes; a larger file throws.
  public static func read(path: String, limit: Int = TextFile.mostBytes) throws -> JSON {
    try parse(try nonEmpty(path, limit), file: path)
  }

  /// Calls `body` with each member of the object that the file holds.
  ///
  /// Only one member is in memory at a time, so a side file with a million ids costs its size and
  /// no more.
  /// - Parameter limit: the maximum size in bytes; a larger file throws.
  public static func readMembers(
    path: String, limit: Int = TextFile.mostBytes, _ body: (String, JSON) throws -> Void
  ) throws {
    try nonEmpty(path, limit).withUnsafeBytes { try members(of: $0, file: path, body) }
  }

  /// Calls `body` with each member of the object that `bytes` hold.
  public static func members(
    of bytes: UnsafeRawBufferPointer, file: String? = nil, _ body: (String, JSON) throws -> Void
  ) throws {
    var parser = JSONParser(bytes, file: file)
    try parser.parseMembers(body)
  }

  fileprivate static func nonEmpty(_ path: String, _ limit: Int = TextFile.mostBytes) throws -> [UInt8] {
    let bytes = try TextFile.read(path: path, limit: limit)
    if bytes.isEmpty {
      throw DataError("the file is empty", file: path, cure: "Make or download it again")
    }
    return bytes
  }
}

/// Files with one JSON value per line, or with one list of values.
public enum JSONLines {
  private struct IsOneList: Error {}

  /// Calls `body` with the number, counted from 1, and the value of each line that is not blank.
  ///
  /// The file is read in pieces, so memory does not grow with it. If it is one list over several
  /// lines, the whole file is read, and `body` gets the elements with the lines that they begin in.
  /// A `DataError` that `body` or the parser throws gets the file and line.
  public static func read(path: String, _ body: (_ line: Int, _ value: JSON) throws -> Void) throws {
    var number = 0
    var isFirst = true
    // A list in the first line is a row if more lines follow.
    var list: (line: Int, value: JSON)?
    func located(_ line: Int, _ value: JSON) throws {
      try DataError.locating(file: path, place: "line \(line)") { try body(line, value) }
    }
    do {
      try TextFile.forEachLine(path: path) { line in
        number += 1
        guard let first = line.first(where: { $0 != 0x20 && $0 != 0x09 && $0 != 0x0D }) else { return }
        if let waiting = list {
          list = nil
          try located(waiting.line, waiting.value)
        }
        var parser = JSONParser(line, file: path, firstLine: number)
        if isFirst, first == UInt8(ascii: "[") {
          guard let value = try? parser.parseDocument() else { throw IsOneList() }
          list = (number, value)
        } else {
          try located(number, try parser.parseDocument())
        }
        isFirst = false
      }
    } catch is IsOneList {
      return try readList(path: path, located)
    }
    if number == 0 {
      throw DataError("the file is empty", file: path, cure: "Make or download it again")
    }
    if let list { for element in list.value.array ?? [] { try located(list.line, element) } }
  }

  /// Returns the first value that ``read(path:_:)`` finds, and its line; nil for an empty list.
  public static func first(path: String) throws -> (line: Int, value: JSON)? {
    struct Enough: Error {}
    var first: (line: Int, value: JSON)?
    do {
      try read(path: path) { line, value in
        first = (line, value)
        throw Enough()
      }
    } catch is Enough {}
    return first
  }

  /// Calls `body` with each element of the one list in a file.
  private static func readList(path: String, _ body: (_ line: Int, _ value: JSON) throws -> Void) throws {
    try TextFile.requirePlain(path)
    try JSON.nonEmpty(path).withUnsafeBytes {
      var parser = JSONParser($0, file: path)
      try parser.parseList(body)
    }
  }
}
