import Formats
import Foundation

/// The cleaning of a text that CLIP's tokenizer does before it looks for words.
///
/// It replaces HTML references, makes runs of white space one space and lower-cases letters. Before
/// that it makes the lesser repairs of ftfy (Speer, 2019). Curly quotes become straight, ligatures
/// and full-width letters plain. Control characters and escape codes go, and letters are composed
/// (NFC). It does not repair mojibake. Source: OpenAI's `clip/simple_tokenizer.py`, `basic_clean`
/// and `whitespace_clean`.
enum CLIPText {
  static func cleaned(_ text: String) -> String {
    var text = repaired(text)
    for _ in 0..<2 { text = HTMLText.unescaped(text) }
    return PythonText.lowered(singleSpaced(text))
  }

  /// Returns the text with ftfy's repairs; a text without `<` is unescaped until nothing changes.
  private static func repaired(_ text: String) -> String {
    var text = text
    if !text.utf8.contains(UInt8(ascii: "<")) {
      while true {
        let next = HTMLText.unescaped(text)
        if next.utf8.elementsEqual(text.utf8) { break }
        text = next
      }
    }
    var result = String.UnicodeScalarView()
    var rest = text.unicodeScalars[...]
    while let scalar = rest.popFirst() {
      switch scalar.value {
      case 0x1B: rest = afterEscape(rest)
      case 0...0x08, 0x0B, 0x0E...0x1F, 0x7F, 0x206A...0x206F, 0xFEFF, 0xFFF9...0xFFFC: break
      case 0x02BC, 0x2018...0x201B: result.append("'")
      case 0x201C...0x201F: result.append("\"")
      case 0x3000: result.append(" ")
      case 0xFF01...0xFFEF:
        result.append(contentsOf: String(scalar).precomposedStringWithCompatibilityMapping.unicodeScalars)
      default:
        if let plain = ligatures[scalar] {
          result.append(contentsOf: plain.unicodeScalars)
        } else {
          result.append(scalar)
        }
      }
    }
    return String(result).precomposedStringWithCanonicalMapping
  }

  /// Returns what follows a terminal's escape code: `[`, digits and semicolons, a letter.
  private static func afterEscape(_ rest: Substring.UnicodeScalarView) -> Substring.UnicodeScalarView {
    guard rest.first == "[" else { return rest }
    let end = rest.dropFirst().drop { ("0"..."9").contains($0) || $0 == ";" }
    guard let letter = end.first, letter.isASCII, letter.properties.isAlphabetic else { return rest }
    return end.dropFirst()
  }

  private static let ligatures: [Unicode.Scalar: String] = [
    "Ĳ": "IJ", "ĳ": "ij", "ŉ": "'n", "Ǳ": "DZ", "ǲ": "Dz", "ǳ": "dz", "Ǆ": "DŽ", "ǅ": "Dž", "ǆ": "dž",
    "Ǉ": "LJ", "ǈ": "Lj", "ǉ": "lj", "Ǌ": "NJ", "ǋ": "Nj", "ǌ": "nj", "ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl",
    "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "ſt", "ﬆ": "st",
  ]

  /// Returns the text's words with one space between them.
  private static func singleSpaced(_ text: String) -> String {
    var result = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      if PythonText.isSpace(scalar.value) {
        if let last = result.last, last != " " { result.append(" ") }
      } else {
        result.append(scalar)
      }
    }
    if result.last == " " { result.removeLast() }
    return String(result)
  }
}
