/// The decoding of subtitle files, whatever encoding they are in.
enum SubtitleText {
  /// Returns the decoded text, and a note if the encoding is a guess or some bytes are damaged.
  ///
  /// It tries in this order: UTF-8 and UTF-16 with a byte order mark, `encoding`, UTF-16 told by
  /// its zero bytes, UTF-8 with few damaged bytes, and the encoding of an XML declaration. Then it
  /// tries the code pages of Japanese, Chinese, Korean, Russian, Greek, Hebrew, Arabic, Central
  /// Europe, Turkey and the Baltic, told by their letters. The last is Windows-1252, which is
  /// Latin-1 with letters in place of control characters. Unreadable bytes become U+FFFD, and byte
  /// order marks are left out.
  static func decode(_ bytes: [UInt8], encoding: String? = nil) -> (text: String, note: String?) {
    let (text, note) = decodeMarked(bytes, encoding: encoding)
    // Joined files have marks within them too.
    guard text.utf8.contains(0xEF), text.unicodeScalars.contains("\u{FEFF}") else { return (text, note) }
    return (String(String.UnicodeScalarView(text.unicodeScalars.filter { $0 != "\u{FEFF}" })), note)
  }

  private static func decodeMarked(_ bytes: [UInt8], encoding: String?) -> (text: String, note: String?) {
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
    if let name = declared(bytes), let (text, _) = TextEncoding.decode(bytes[...], as: name) {
      return (text, nil)
    }
    if let name = TextEncoding.guess(bytes), let (text, _) = TextEncoding.decode(bytes[...], as: name) {
      return (text, guess(name))
    }
    var scalars = String.UnicodeScalarView()
    for byte in bytes {
      scalars.append((0x80...0x9F).contains(byte) ? windows1252[Int(byte) - 0x80] : Unicode.Scalar(byte))
    }
    return (String(scalars), guess("Windows-1252"))
  }

  /// Returns the encoding of `<?xml version="1.0" encoding="windows-1251"?>`; nil if there is none.
  private static func declared(_ bytes: [UInt8]) -> String? {
    let head = bytes.prefix(200)
    guard head.starts(with: "<?xml".utf8), let end = head.firstIndex(of: UInt8(ascii: ">")),
      let found = String(decoding: head[..<end], as: UTF8.self)
        .firstMatch(of: /encoding\s*=\s*["']([A-Za-z0-9._-]+)["']/)
    else { return nil }
    return String(found.1)
  }

  private static func guess(_ name: String) -> String {
    "it is not UTF-8 and is read as \(name). If that is wrong, give --encoding"
  }

  private static func utf8(_ bytes: ArraySlice<UInt8>) -> (text: String, note: String?) {
    if let text = String(validating: bytes, as: UTF8.self) { return (text, nil) }
    return (String(decoding: bytes, as: UTF8.self), "some bytes of it are not UTF-8 and are read as \u{FFFD}")
  }

  /// Returns whether there are at least four multibyte characters for each byte that is not UTF-8.
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

  /// The characters of the bytes 0x80 … 0x9F.
  private static let windows1252 = Array(
    "€\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8D}Ž\u{8F}\u{90}‘’“”•–—˜™š›œ\u{9D}žŸ".unicodeScalars)
}

/// The text of a cue's line without what is not said.
enum CueText {
  /// Returns the line without tags, needless white space and invisible characters.
  ///
  /// Tags are `<i>`, `<c.yellow>`, `<v Anna>`, `<00:01.500>`, `{\an8}`, `{y:i}` and the like. A `<`
  /// that begins no tag, or none that ends in the line, stays. `<br>`, SubStation Alpha's `\N` and
  /// `\h`, `&nbsp;` and no-break spaces become spaces. One pass suffices.
  static func stripped(_ line: Substring) -> String {
    let bytes = Array(line.utf8)
    var kept: [UInt8] = []
    kept.reserveCapacity(bytes.count)
    func space() { if !kept.isEmpty, kept.last != 0x20 { kept.append(0x20) } }
    // The closing bytes that do not occur again, so that nothing searches for them twice.
    var unclosed: Set<UInt8> = []
    var place = 0
    while place < bytes.count {
      let byte = bytes[place]
      if let closing = closing(bytes, place), !unclosed.contains(closing) {
        if let end = bytes[place...].firstIndex(of: closing) {
          // Only a line break separates words: karaoke's times stand between words, other tags
          // within.
          if isLineEnd(bytes[(place + 1)..<end]) { space() }
          place = end + 1
          continue
        }
        unclosed.insert(closing)
      }
      if let (length, isSpace) = unseen(bytes, place) {
        if isSpace { space() }
        place += length
      } else {
        kept.append(byte)
        place += 1
      }
    }
    if kept.last == 0x20 { kept.removeLast() }
    return String(decoding: kept, as: UTF8.self)
  }

  private static func isLineEnd(_ tag: ArraySlice<UInt8>) -> Bool {
    let name = tag.prefix { (0x41...0x5A).contains($0 & 0xDF) }
    return name.count == 2 && name.map { $0 | 0x20 } == Array("br".utf8)
  }

  /// The HTML references of spaces and of invisible characters.
  private static let references: [(name: [UInt8], isSpace: Bool)] =
    ["&nbsp;", "&#160;", "&#xA0;", "&#xa0;"].map { (Array($0.utf8), true) }
    + ["&lrm;", "&rlm;", "&zwsp;", "&shy;"].map { (Array($0.utf8), false) }

  /// Returns the length in bytes of a space or an invisible character; nil if anything else is
  /// there.
  private static func unseen(_ bytes: [UInt8], _ place: Int) -> (length: Int, isSpace: Bool)? {
    let byte = bytes[place]
    let second = place + 1 < bytes.count ? bytes[place + 1] : 0
    let third = place + 2 < bytes.count ? bytes[place + 2] : 0
    switch byte {
    case 0x20, 0x09...0x0D: return (1, true)
    case 0..<0x20, 0x7F: return (1, false)
    case UInt8(ascii: "\\"):
      return second == UInt8(ascii: "N") || second == UInt8(ascii: "h") ? (2, true) : nil
    case UInt8(ascii: "&"):
      return references.first { bytes[place...].starts(with: $0.name) }.map { ($0.name.count, $0.isSpace) }
    // SubViewer's line break.
    case UInt8(ascii: "["): return bytes[place...].starts(with: "[br]".utf8) ? (4, true) : nil
    // C1 controls, of which U+0085 is a line break, then no-break spaces and soft hyphens.
    case 0xC2:
      switch second {
      case 0x85, 0xA0: return (2, true)
      case 0x80...0x9F, 0xAD: return (2, false)
      default: return nil
      }
    case 0xE2:
      switch (second, third) {
      // Spaces of all widths, and separators of lines and paragraphs.
      case (0x80, 0x80...0x8A), (0x80, 0xA8...0xA9), (0x80, 0xAF), (0x81, 0x9F): return (3, true)
      // Characters without width, and direction marks.
      case (0x80, 0x8B), (0x80, 0x8E...0x8F), (0x80, 0xAA...0xAE), (0x81, 0xA0), (0x81, 0xA6...0xA9):
        return (3, false)
      default: return nil
      }
    case 0xE3: return second == 0x80 && third == 0x80 ? (3, true) : nil
    default: return nil
    }
  }

  /// Returns the byte that closes the tag that begins at a place; nil if none begins there.
  private static func closing(_ bytes: [UInt8], _ place: Int) -> UInt8? {
    guard place + 1 < bytes.count else { return nil }
    let next = bytes[place + 1]
    switch bytes[place] {
    case UInt8(ascii: "{"):
      // Commands of SubStation Alpha, and those of MicroDVD, which have a letter and a colon.
      let isMicroDVD =
        place + 2 < bytes.count && bytes[place + 2] == UInt8(ascii: ":")
        && "yYcCfFsSoOpPhH".utf8.contains(next)
      return next == UInt8(ascii: "\\") || isMicroDVD ? UInt8(ascii: "}") : nil
    case UInt8(ascii: "<"):
      let isLetter = (0x41...0x5A).contains(next & 0xDF)
      let isDigit = (0x30...0x39).contains(next)
      return isLetter || isDigit || next == UInt8(ascii: "/") ? UInt8(ascii: ">") : nil
    default: return nil
    }
  }
}
