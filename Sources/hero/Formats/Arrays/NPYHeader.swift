import Foundation

/// What stands before the elements of a `.npy` file: the text of a Python dictionary.
struct NPYHeader: Equatable {
  static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)
  /// numpy itself refuses longer headers, because real ones stay far below.
  private static let longestText = 10_000

  var type: ScalarType
  var isBigEndian: Bool
  var isFortranOrder: Bool
  var shape: [Int]

  /// Takes magic, version, length and dictionary from `cursor`.
  init(_ cursor: inout ByteCursor) throws {
    guard try cursor.take(Self.magic.count).elementsEqual(Self.magic) else {
      throw DataError("not a numpy file: it does not begin with \\x93NUMPY", place: "byte 0")
    }
    let major = try cursor.byte()
    _ = try cursor.byte()
    let length: Int
    switch major {
    case 1: length = Int(try cursor.integer(UInt16.self))
    case 2, 3: length = Int(try cursor.integer(UInt32.self))
    default: throw DataError("numpy file format version \(major) is unknown", place: "byte 6")
    }
    guard length <= Self.longestText else {
      throw DataError("a header of \(length) bytes, longer than numpy accepts", place: "byte 8")
    }
    let start = cursor.position
    do {
      try self.init(text: [UInt8](try cursor.take(length)))
    } catch let error as DataError {
      throw error.located(place: "header at byte \(start)")
    }
  }

  /// Reads `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`.
  private init(text: [UInt8]) throws {
    var parser = PythonLiteral(text)
    var description: String?
    var fortran: Bool?
    var shape: [Int]?
    try parser.expect("{")
    while !parser.skip("}") {
      let key = try parser.string()
      try parser.expect(":")
      switch key {
      case "descr":
        guard parser.isAtString else {
          throw DataError("an array of records", cure: "Save each field as an array of its own")
        }
        description = try parser.string()
      case "fortran_order": fortran = try parser.bool()
      case "shape": shape = try parser.tuple()
      default: throw DataError("a header entry “\(key)” that numpy does not write")
      }
      if !parser.skip(",") {
        try parser.expect("}")
        break
      }
    }
    guard let description, let fortran, let shape else {
      throw DataError("a header that lacks one of descr, fortran_order and shape")
    }
    guard let (type, isBigEndian) = ScalarType.numpy(description) else {
      throw DataError(
        "elements of numpy type “\(description)”",
        cure: "Save the array as one of float16, float32, float64, int8 … int64, uint8 or bool")
    }
    self.type = type
    self.isBigEndian = isBigEndian
    isFortranOrder = fortran
    self.shape = shape
  }
}

/// The little of Python's literal syntax that numpy headers use.
private struct PythonLiteral {
  private let text: [UInt8]
  private var position = 0

  init(_ text: [UInt8]) {
    self.text = text
  }

  private mutating func peek() -> UInt8? {
    while position < text.count, [0x20, 0x09, 0x0a, 0x0d].contains(text[position]) { position += 1 }
    return position < text.count ? text[position] : nil
  }

  mutating func skip(_ character: Unicode.Scalar) -> Bool {
    guard peek().map({ UInt32($0) == character.value }) ?? false else { return false }
    position += 1
    return true
  }

  mutating func expect(_ character: Unicode.Scalar) throws {
    guard skip(character) else { throw DataError("a malformed header: “\(character)” is missing") }
  }

  var isAtString: Bool {
    mutating get { peek() == 0x27 || peek() == 0x22 }
  }

  mutating func string() throws -> String {
    guard isAtString, let quote = peek(), let end = text[(position + 1)...].firstIndex(of: quote) else {
      throw DataError("a malformed header: a quoted word is missing")
    }
    defer { position = end + 1 }
    return String(decoding: text[(position + 1)..<end], as: UTF8.self)
  }

  private mutating func word() -> Substring {
    _ = peek()
    let start = position
    while position < text.count, Character(Unicode.Scalar(text[position])).isAlphanumeric { position += 1 }
    return Substring(decoding: text[start..<position], as: UTF8.self)
  }

  mutating func bool() throws -> Bool {
    switch word() {
    case "True": true
    case "False": false
    default: throw DataError("a malformed header: fortran_order is neither True nor False")
    }
  }

  mutating func tuple() throws -> [Int] {
    var sizes: [Int] = []
    try expect("(")
    while !skip(")") {
      var digits = word()
      // Python 2 wrote long integers as 3L.
      if digits.last == "L" { digits.removeLast() }
      guard let size = Int(digits), size >= 0 else {
        throw DataError("a malformed header: a size in shape is not a number")
      }
      guard sizes.count < 32 else { throw DataError("more than 32 dimensions") }
      sizes.append(size)
      if !skip(",") {
        try expect(")")
        break
      }
    }
    return sizes
  }
}

extension Character {
  fileprivate var isAlphanumeric: Bool { isASCII && (isLetter || isNumber) }
}
