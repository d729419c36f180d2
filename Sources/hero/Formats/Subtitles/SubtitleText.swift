/// The text of a subtitle file, whatever encoding it is in.
enum SubtitleText {
  /// The decoded text, and a line to be told where nothing in the file says what it is in, or
  /// something in it is damaged.
  ///
  /// UTF-8 and UTF-16 with a byte order mark; then what is given; UTF-16 without a mark, told by
  /// its zero bytes; UTF-8, a few bytes of it damaged; a Japanese or Cyrillic code page, told by
  /// its letters; else Windows-1252, which is Latin-1 with letters in place of control characters.
  /// What cannot be read becomes U+FFFD.
  static func decode(_ bytes: [UInt8], encoding: String? = nil) -> (text: String, note: String?) {
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { return utf8(bytes.dropFirst(3)) }
    if bytes.starts(with: [0xFF, 0xFE]) { return (utf16(bytes.dropFirst(2), bigEndian: false), nil) }
    if bytes.starts(with: [0xFE, 0xFF]) { return (utf16(bytes.dropFirst(2), bigEndian: true), nil) }
    if let encoding, let (text, bad) = TextEncoding.decode(bytes[...], as: encoding) {
      return (text, bad > 0 ? "\(bad) bytes of it are not \(encoding) and are read as \u{FFFD}" : nil)
    }
    let sample = bytes.prefix(1024)
    let zeros = [0, 1].map { parity in sample.indices.count { $0 % 2 == parity && sample[$0] == 0 } }
    if zeros[1] > sample.count / 8, zeros[1] > 4 * zeros[0] {
      return (utf16(bytes[...], bigEndian: false), guess("UTF-16LE"))
    }
    if zeros[0] > sample.count / 8, zeros[0] > 4 * zeros[1] {
      return (utf16(bytes[...], bigEndian: true), guess("UTF-16BE"))
    }
    if isMostlyUTF8(bytes) { return utf8(bytes[...]) }
    if let name = TextEncoding.guess(bytes), let (text, _) = TextEncoding.decode(bytes[...], as: name) {
      return (text, guess(name))
    }
    var scalars = String.UnicodeScalarView()
    for byte in bytes {
      scalars.append((0x80...0x9F).contains(byte) ? windows1252[Int(byte) - 0x80] : Unicode.Scalar(byte))
    }
    return (String(scalars), guess("Windows-1252"))
  }

  private static func guess(_ name: String) -> String {
    "it is not UTF-8 and is read as \(name). If that is wrong, give --encoding"
  }

  private static func utf8(_ bytes: ArraySlice<UInt8>) -> (text: String, note: String?) {
    if let text = String(validating: bytes, as: UTF8.self) { return (text, nil) }
    return (String(decoding: bytes, as: UTF8.self), "some bytes of it are not UTF-8 and are read as \u{FFFD}")
  }

  /// Whether all of it is UTF-8, or at least four characters of several bytes for each byte that
  /// belongs to none.
  private static func isMostlyUTF8(_ bytes: [UInt8]) -> Bool {
    var (good, bad, place) = (0, 0, 0)
    while place < bytes.count {
      let byte = bytes[place]
      let length = byte < 0x80 ? 1 : byte < 0xC2 ? 0 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : byte < 0xF5 ? 4 : 0
      let rest = bytes[min(place + 1, bytes.count)..<min(place + max(length, 1), bytes.count)]
      if length > 0, rest.count == length - 1, rest.allSatisfy({ $0 & 0xC0 == 0x80 }) {
        if length > 1 { good += 1 }
        place += length
      } else {
        bad += 1
        place += 1
      }
    }
    return bad == 0 || good >= 4 * bad
  }

  private static func utf16(_ bytes: ArraySlice<UInt8>, bigEndian: Bool) -> String {
    let units = stride(from: bytes.startIndex, to: bytes.endIndex - 1, by: 2).map { place in
      let (a, b) = (UInt16(bytes[place]), UInt16(bytes[place + 1]))
      return bigEndian ? a << 8 | b : b << 8 | a
    }
    return String(decoding: units, as: UTF16.self)
  }

  /// 0x80 … 0x9F.
  private static let windows1252 = Array(
    "€\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8D}Ž\u{8F}\u{90}‘’“”•–—˜™š›œ\u{9D}žŸ".unicodeScalars)
}

/// A line of a cue without what is not said.
enum CueText {
  /// The line without tags (`<i>`, `<c.yellow>`, `<v Anna>`, `<00:01.500>`, `{\an8}`) and without
  /// needless white space.
  ///
  /// A `<` that begins no tag, or none that ends in the line, stays. One pass.
  static func stripped(_ line: Substring) -> String {
    let bytes = Array(line.utf8)
    var kept: [UInt8] = []
    kept.reserveCapacity(bytes.count)
    // Where nothing more ends a tag; then there are none, and nobody looks again.
    var unclosed: Set<UInt8> = []
    var place = 0
    while place < bytes.count {
      let byte = bytes[place]
      if let closing = closing(bytes, place), !unclosed.contains(closing) {
        if let end = bytes[place...].firstIndex(of: closing) {
          // Karaoke's times stand between words, other tags within them.
          place = end + 1
          continue
        }
        unclosed.insert(closing)
      }
      // White space of one byte, or a byte order mark in the middle of things.
      if byte == 0x20 || (0x09...0x0D).contains(byte) {
        if !kept.isEmpty, kept.last != 0x20 { kept.append(0x20) }
      } else if byte != 0 {
        kept.append(byte)
      }
      place += 1
    }
    if kept.last == 0x20 { kept.removeLast() }
    return String(decoding: kept, as: UTF8.self)
  }

  /// What ends the tag that begins at a place; nil where none does.
  private static func closing(_ bytes: [UInt8], _ place: Int) -> UInt8? {
    guard place + 1 < bytes.count else { return nil }
    let next = bytes[place + 1]
    switch bytes[place] {
    case UInt8(ascii: "{"): return next == UInt8(ascii: "\\") ? UInt8(ascii: "}") : nil
    case UInt8(ascii: "<"):
      let isLetter = (0x41...0x5A).contains(next & 0xDF)
      let isDigit = (0x30...0x39).contains(next)
      return isLetter || isDigit || next == UInt8(ascii: "/") ? UInt8(ascii: ">") : nil
    default: return nil
    }
  }
}
