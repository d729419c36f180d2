/// HTML character references in subtitles, as Python's `html.unescape` replaces them (HTML 5
/// rules).
public enum HTMLText {
  /// Returns the text with `&amp;`, `&#39;`, `&#x27;` … replaced.
  ///
  /// A name may lack its semicolon; the longest name counts.
  public static func unescaped(_ text: String) -> String {
    guard text.utf8.contains(UInt8(ascii: "&")) else { return text }
    let scalars = Array(text.unicodeScalars)
    var result = String.UnicodeScalarView()
    var index = 0
    while index < scalars.count {
      if scalars[index] == "&", let (replacement, end) = reference(in: scalars, after: index + 1) {
        result.append(contentsOf: replacement.unicodeScalars)
        index = end
      } else {
        result.append(scalars[index])
        index += 1
      }
    }
    return String(result)
  }

  /// Returns the characters of the reference at `start`, just after its ampersand, and its end.
  private static func reference(
    in scalars: [Unicode.Scalar], after start: Int
  ) -> (replacement: String, end: Int)? {
    guard start < scalars.count, scalars[start] == "#" else { return named(in: scalars, after: start) }
    let isHexadecimal = start + 1 < scalars.count && (scalars[start + 1] == "x" || scalars[start + 1] == "X")
    let digits = scalars[(start + (isHexadecimal ? 2 : 1))...].prefix {
      isHexadecimal ? $0.properties.isASCIIHexDigit : ("0"..."9").contains($0)
    }
    guard !digits.isEmpty else { return nil }
    // A number that does not fit is past the last code point.
    let number = UInt32(spelling(digits), radix: isHexadecimal ? 16 : 10) ?? .max
    let hasSemicolon = digits.endIndex < scalars.count && scalars[digits.endIndex] == ";"
    return (character(number), digits.endIndex + (hasSemicolon ? 1 : 0))
  }

  /// Returns the character of a numeric reference.
  ///
  /// C1 controls are read as Windows-1252. Zero, surrogates and numbers past the last code point
  /// become U+FFFD, and other invalid code points become nothing.
  private static func character(_ number: UInt32) -> String {
    switch number {
    case 0, 0xD800...0xDFFF, 0x11_0000...: return "\u{FFFD}"
    case 0x0D: return "\r"
    case 0x80...0x9F: return String(windows1252[Int(number) - 0x80])
    case 0x01...0x08, 0x0B, 0x0E...0x1F, 0x7F, 0xFDD0...0xFDEF: return ""
    case _ where number & 0xFFFE == 0xFFFE: return ""
    default: return Unicode.Scalar(number).map { String($0) } ?? "\u{FFFD}"
    }
  }

  /// The characters that browsers read for 0x80 … 0x9F.
  private static let windows1252 = Array(
    "€\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8D}Ž\u{8F}\u{90}‘’“”•–—˜™š›œ\u{9D}žŸ".unicodeScalars)

  /// Returns the character of a name of at most 32 scalars: with its semicolon, else its longest
  /// prefix that needs none.
  private static func named(
    in scalars: [Unicode.Scalar], after start: Int
  ) -> (replacement: String, end: Int)? {
    var end = start
    while end < scalars.count, end - start < 32, isNameScalar(scalars[end]) { end += 1 }
    guard end > start else { return nil }
    let hasSemicolon = end < scalars.count && scalars[end] == ";"
    if hasSemicolon, let character = HTMLEntities.characters[spelling(scalars[start..<end])] {
      return (character, end + 1)
    }
    var length = end - start
    while length >= 2 {
      let name = spelling(scalars[start..<start + length])
      if HTMLEntities.legacyNames.contains(name), let character = HTMLEntities.characters[name] {
        return (character, start + length)
      }
      length -= 1
    }
    return nil
  }

  private static func spelling(_ scalars: ArraySlice<Unicode.Scalar>) -> String {
    String(String.UnicodeScalarView(scalars))
  }

  /// Returns whether a name can contain the scalar: names are ASCII, and the scalars listed here
  /// end one.
  private static func isNameScalar(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "\t", "\n", "\u{0C}", " ", "<", "&", "#", ";": false
    default: scalar.isASCII
    }
  }
}
