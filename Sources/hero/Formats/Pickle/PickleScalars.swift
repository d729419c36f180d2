import Foundation

/// The values that opcodes push by themselves: one number or text each.
enum PickleScalars {
  static func take(_ opcode: PickleOpcode, from cursor: inout ByteCursor) throws -> PickleValue {
    switch opcode {
    case .none: .none
    case .newTrue: .bool(true)
    case .newFalse: .bool(false)
    case .int: try textInteger(line(&cursor), allowsBool: true)
    case .long: try textInteger(line(&cursor), allowsBool: false)
    case .binInt: .int(Int(try cursor.integer(Int32.self)))
    case .binInt1: .int(Int(try cursor.byte()))
    case .binInt2: .int(Int(try cursor.integer(UInt16.self)))
    case .long1: integer(try cursor.take(Int(cursor.byte())))
    case .long4: integer(try cursor.take(Int(cursor.integer(Int32.self))))
    case .float: try textFloat(line(&cursor))
    case .binFloat: .double(Double(bitPattern: try cursor.integer(UInt64.self).byteSwapped))
    case .string: try quoted(line(&cursor))
    case .binString: text(try cursor.take(Int(cursor.integer(Int32.self))))
    case .shortBinString: text(try cursor.take(Int(cursor.byte())))
    case .unicode: .string(try rawUnicodeEscapes(line(&cursor)))
    case .shortBinUnicode: .string(try unicode(&cursor, Int(cursor.byte())))
    case .binUnicode: .string(try unicode(&cursor, Int(cursor.integer(UInt32.self))))
    case .binUnicode8: .string(try unicode(&cursor, cursor.length64()))
    case .shortBinBytes: .bytes([UInt8](try cursor.take(Int(cursor.byte()))))
    case .binBytes: .bytes([UInt8](try cursor.take(Int(cursor.integer(UInt32.self)))))
    case .binBytes8, .byteArray8: .bytes([UInt8](try cursor.take(cursor.length64())))
    default: throw DataError("\(opcode) does not push a value of its own")
    }
  }

  /// Reads a line as Latin-1, in which every byte is a character.
  static func line(_ cursor: inout ByteCursor) throws -> String {
    latin1(try cursor.line())
  }

  /// Reads a line that is a number from zero up.
  static func decimal(_ cursor: inout ByteCursor) throws -> Int {
    guard let number = Int(try line(&cursor)), number >= 0 else { throw DataError("a number is malformed") }
    return number
  }

  static func latin1(_ bytes: some Sequence<UInt8>) -> String {
    String(String.UnicodeScalarView(bytes.lazy.map { Unicode.Scalar($0) }))
  }

  /// Decodes a Python 2 string as text if it is UTF-8, otherwise as bytes.
  private static func text(_ bytes: UnsafeRawBufferPointer) -> PickleValue {
    String(validating: bytes, as: UTF8.self).map(PickleValue.string) ?? .bytes([UInt8](bytes))
  }

  /// Reads UTF-8 text; lone surrogates, which Python's `surrogatepass` writes, become U+FFFD.
  private static func unicode(_ cursor: inout ByteCursor, _ count: Int) throws -> String {
    String(decoding: try cursor.take(count), as: UTF8.self)
  }

  /// Decodes a little-endian two's complement integer of any length.
  private static func integer(_ bytes: UnsafeRawBufferPointer) -> PickleValue {
    let isNegative = bytes.last.map { $0 & 0x80 != 0 } ?? false
    let filler: UInt8 = isNegative ? 0xff : 0
    let significant = bytes.lastIndex { $0 != filler }.map { $0 + 1 } ?? 0
    guard significant < 8 || significant == 8 && (bytes[7] & 0x80 != 0) == isNegative else {
      return .bigInteger([UInt8](bytes))
    }
    var value: UInt64 = isNegative ? .max : 0
    for (index, byte) in bytes.prefix(min(significant, 8)).enumerated() {
      value = value & ~(0xff << UInt64(8 * index)) | UInt64(byte) << UInt64(8 * index)
    }
    return .int(Int(Int64(bitPattern: value)))
  }

  private static func textInteger(_ line: String, allowsBool: Bool) throws -> PickleValue {
    if allowsBool, line == "00" || line == "01" { return .bool(line == "01") }
    let digits = line.hasSuffix("L") ? String(line.dropLast()) : line
    guard let number = Int(digits) else { throw DataError("“\(line.prefix(40))” is not a 64-bit integer") }
    return .int(number)
  }

  private static func textFloat(_ line: String) throws -> PickleValue {
    guard let number = Double(line) else { throw DataError("“\(line.prefix(40))” is not a number") }
    return .double(number)
  }

  /// Parses a Python 2 string as `repr` writes it.
  private static func quoted(_ line: String) throws -> PickleValue {
    let source = Array(line.unicodeScalars)
    guard source.count >= 2, let quote = source.first, quote == "'" || quote == "\"", source.last == quote
    else {
      throw DataError("a string without its quotes")
    }
    var bytes: [UInt8] = []
    var index = 1
    let end = source.count - 1
    while index < end {
      var scalar = source[index]
      index += 1
      if scalar == "\\" {
        guard index < end else { throw DataError("a string that ends in a backslash") }
        scalar = source[index]
        index += 1
        if scalar == "x" {
          guard index + 2 <= end, let code = UInt8(hexadecimal(source[index..<index + 2]), radix: 16) else {
            throw DataError("a malformed \\x in a string")
          }
          bytes.append(code)
          index += 2
          continue
        }
        guard let replacement = Self.escapes[scalar] else { throw DataError("an unknown escape in a string") }
        scalar = replacement
      }
      bytes.append(UInt8(truncatingIfNeeded: scalar.value))
    }
    return bytes.withUnsafeBytes(text)
  }

  private static let escapes: [Unicode.Scalar: Unicode.Scalar] = [
    "n": "\n", "r": "\r", "t": "\t", "\\": "\\", "'": "'", "\"": "\"", "0": "\0", "a": "\u{7}", "b": "\u{8}",
    "f": "\u{c}", "v": "\u{b}",
  ]

  /// Decodes text in which only `\uXXXX` and `\UXXXXXXXX` are escapes.
  private static func rawUnicodeEscapes(_ line: String) throws -> String {
    guard line.contains("\\u") || line.contains("\\U") else { return line }
    let source = Array(line.unicodeScalars)
    var units: [UInt16] = []
    var index = 0
    while index < source.count {
      let length =
        index + 1 < source.count && source[index] == "\\" ? ["u": 4, "U": 8][source[index + 1]] : nil
      guard let length else {
        units += UTF16.encode(source[index]).map(Array.init) ?? []
        index += 1
        continue
      }
      let start = index + 2
      guard start + length <= source.count,
        let code = UInt32(hexadecimal(source[start..<start + length]), radix: 16), code <= 0x10_ffff
      else { throw DataError("a malformed \\u in a text") }
      if let scalar = Unicode.Scalar(code) {
        units += UTF16.encode(scalar).map(Array.init) ?? []
      } else {
        units.append(UInt16(truncatingIfNeeded: code))
      }
      index = start + length
    }
    return String(decoding: units, as: UTF16.self)
  }

  private static func hexadecimal(_ scalars: ArraySlice<Unicode.Scalar>) -> String {
    String(String.UnicodeScalarView(scalars))
  }
}
