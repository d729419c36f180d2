import Foundation

extension JSON {
  /// The value that `bytes` hold; `file` is named in the error, which tells the line.
  public static func parse(_ bytes: UnsafeRawBufferPointer, file: String? = nil) throws -> JSON {
    var parser = JSONParser(bytes, file: file)
    return try parser.parseDocument()
  }

  /// The value that `bytes` hold; `file` is named in the error, which tells the line.
  public static func parse(_ bytes: [UInt8], file: String? = nil) throws -> JSON {
    try bytes.withUnsafeBytes { try parse($0, file: file) }
  }

  /// The value that `text` holds.
  public static func parse(_ text: String, file: String? = nil) throws -> JSON {
    var text = text
    return try text.withUTF8 { try parse(UnsafeRawBufferPointer($0), file: file) }
  }

  /// The value that the file holds.
  public static func read(path: String) throws -> JSON {
    try parse(try nonEmpty(path), file: path)
  }

  /// Hands on the members of the object that the file holds, one by one.
  ///
  /// Never more than one member is in memory, so that a side file with a million ids costs its size and no more.
  public static func readMembers(path: String, _ body: (String, JSON) throws -> Void) throws {
    try nonEmpty(path).withUnsafeBytes {
      var parser = JSONParser($0, file: path)
      try parser.parseMembers(body)
    }
  }

  private static func nonEmpty(_ path: String) throws -> [UInt8] {
    let bytes = try FileBytes.read(path: path)
    if bytes.isEmpty {
      throw DataError("the file is empty", file: path, cure: "Make or download it again")
    }
    return bytes
  }
}

/// Files with one JSON value a line.
public enum JSONLines {
  /// Calls `body` with every line's number, counted from 1, and value; blank lines are passed over.
  ///
  /// The file is read in pieces, so memory does not grow with it. What `body` or the parser throws as `DataError`
  /// gets the file and line.
  public static func read(path: String, _ body: (_ line: Int, _ value: JSON) throws -> Void) throws {
    var number = 0
    try FileBytes.forEachLine(path: path) { line in
      number += 1
      if line.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }) { return }
      try DataError.locating(file: path, place: "line \(number)") {
        var parser = JSONParser(line, file: path, firstLine: number)
        try body(number, try parser.parseDocument())
      }
    }
    if number == 0 {
      throw DataError("the file is empty", file: path, cure: "Make or download it again")
    }
  }
}
