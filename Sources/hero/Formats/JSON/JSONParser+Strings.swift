extension JSONParser {
  /// Parses the string whose opening quote is next.
  mutating func parseString() throws -> String {
    position += 1
    var unescaped: [UInt8] = []
    var start = position
    while position < bytes.count {
      switch bytes[position] {
      case UInt8(ascii: "\""):
        defer { position += 1 }
        let rest = bytes[start..<position]
        return try unescaped.isEmpty ? string(rest) : string(unescaped + rest)
      case UInt8(ascii: "\\"):
        unescaped += bytes[start..<position]
        position += 1
        try parseEscape(into: &unescaped)
        start = position
      case 0..<0x20: throw error("a control character inside a string")
      default: position += 1
      }
    }
    throw error("a string that does not end")
  }

  private func string(_ utf8: some Sequence<UInt8>) throws -> String {
    guard let text = String(validating: utf8, as: UTF8.self) else {
      // Windows-1252 and Latin-1 write accented letters as such bytes.
      let byte = utf8.first { $0 >= 0x80 } ?? 0
      throw error(
        "a string that is not valid UTF-8 (byte 0x\(String(byte, radix: 16, uppercase: true)))",
        cure: "Save the file as UTF-8")
    }
    return text
  }

  private mutating func parseEscape(into text: inout [UInt8]) throws {
    guard let byte = peek() else { throw error("a string that does not end") }
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
    case UInt8(ascii: "b"): text.append(0x08)
    case UInt8(ascii: "f"): text.append(0x0C)
    case UInt8(ascii: "n"): text.append(0x0A)
    case UInt8(ascii: "r"): text.append(0x0D)
    case UInt8(ascii: "t"): text.append(0x09)
    case UInt8(ascii: "u"):
      let unit = try parseHexadecimal()
      guard UTF16.isLeadSurrogate(unit), position + 1 < bytes.count,
        bytes[position] == UInt8(ascii: "\\"), bytes[position + 1] == UInt8(ascii: "u")
      else { return append(Unicode.Scalar(unit), to: &text) }
      let mark = position
      position += 2
      let next = try parseHexadecimal()
      if UTF16.isTrailSurrogate(next) {
        let value = 0x10000 + (UInt32(unit) - 0xD800) << 10 + (UInt32(next) - 0xDC00)
        append(Unicode.Scalar(value), to: &text)
      } else {
        position = mark
        append(nil, to: &text)
      }
    default: throw error("an unknown escape in a string")
    }
  }

  private func append(_ scalar: Unicode.Scalar?, to text: inout [UInt8]) {
    text.append(contentsOf: Character(scalar ?? "\u{FFFD}").utf8)
  }

  private mutating func parseHexadecimal() throws -> UInt16 {
    var value: UInt16 = 0
    for _ in 0..<4 {
      guard let byte = peek(), let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
        throw error("a \\u escape without four hexadecimal digits")
      }
      value = value << 4 | UInt16(digit)
      position += 1
    }
    return value
  }
}
