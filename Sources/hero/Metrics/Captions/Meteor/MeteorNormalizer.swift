import Formats

/// A splitter of lines into the words that METEOR 1.5 compares (its option `-norm`).
///
/// It applies Moses tokenization, splits words at dashes, unifies quotes, and drops the dots of
/// abbreviations.
struct MeteorNormalizer: Sendable {
  private typealias Characters = [Unicode.Scalar]

  /// A stand-in for a dot of an ellipsis while single dots are processed.
  private static let ellipsisDot: Unicode.Scalar = "\u{E000}"

  /// The words that keep their dot (`nonbreaking/english.prefixes`): always, and before a number.
  private let keepsDot: Set<Name>
  private let keepsDotBeforeNumber: Set<Name>

  /// - Parameter prefixes: the lines of METEOR's list, which may be empty.
  init(prefixes: [Substring]) {
    var always: Set<Name> = []
    var beforeNumber: Set<Name> = []
    for line in prefixes {
      let fields = line.split { $0 == " " || $0 == "\t" }
      guard let word = fields.first, !word.hasPrefix("#") else { continue }
      if fields.count > 1, fields[1] == "#NUMERIC_ONLY#" {
        beforeNumber.insert(Name(String(word)))
      } else {
        always.insert(Name(String(word)))
      }
    }
    keepsDot = always
    keepsDotBeforeNumber = beforeNumber
  }

  /// Returns the words of a line, in lower case.
  func words(of line: String) -> [String] {
    var text = Array(" \(line) ".unicodeScalars)
    text = text.flatMap { Self.standsAlone($0) ? [" ", $0, " "] : [$0] }
    text = Self.markEllipses(text)
    text = Self.split(",", in: text, after: { !Self.isDigit($0) }, before: { !Self.isDigit($0) }, to: " , ")
    text = Self.split(",", in: text, after: Self.isDigit, before: { !Self.isDigit($0) }, to: " , ")
    text = Self.split(",", in: text, after: { !Self.isDigit($0) }, before: Self.isDigit, to: " , ")
    text = Self.unifyQuotesAndDashes(text)
    text = Self.split(
      "-", in: text, after: { Self.isAlphanumeric($0) || $0 == "." }, before: Self.isAlphanumeric, to: " ")
    text = Self.splitContractions(text)
    let spaced = text.split { Self.isASCIISpace($0) }.map { String(String.UnicodeScalarView($0)) }
    return splitDots(spaced).flatMap { word in
      word.lowercased().unicodeScalars.split { Self.isSpace($0) }.map {
        String(String.UnicodeScalarView($0.map { $0 == Self.ellipsisDot ? "." : $0 }))
      }
    }
  }

  // MARK: Characters

  private static func isASCIISpace(_ c: Unicode.Scalar) -> Bool {
    (0x09...0x0D).contains(c.value) || c == " "
  }

  private static func isSpace(_ c: Unicode.Scalar) -> Bool {
    switch c.value {
    case 0x09...0x0D, 0x20, 0xA0, 0x2000...0x200A, 0x202F, 0x205F, 0x3000: true
    default: false
    }
  }

  private static func isDigit(_ c: Unicode.Scalar) -> Bool { ("0"..."9").contains(c) }

  /// Returns whether a character is a letter of a western European or Cyrillic alphabet.
  private static func isLetter(_ c: Unicode.Scalar) -> Bool {
    switch c.value {
    case 0x41...0x5A, 0x61...0x7A, 0xC0...0xD6, 0xD8...0xF6, 0xF8...0x17E, 0x160, 0x161, 0x178, 0x17D: true
    case 0x400...0x527, 0xA640...0xA66E, 0xA67E...0xA697, 0x1D00...0x1D7F: true
    default: false
    }
  }

  private static func isAlphanumeric(_ c: Unicode.Scalar) -> Bool { isLetter(c) || isDigit(c) }

  private static func standsAlone(_ c: Unicode.Scalar) -> Bool {
    !isAlphanumeric(c) && !isASCIISpace(c) && !".'`,-\u{2018}\u{2019}".unicodeScalars.contains(c)
  }

  // MARK: Steps

  /// Separates two or more dots from the words before and after them.
  private static func markEllipses(_ text: Characters) -> Characters {
    var result: Characters = []
    var index = 0
    while index < text.count {
      let dots = text[index...].prefix { $0 == "." }.count
      if dots >= 2 {
        result.append(" ")
        result.append(contentsOf: repeatElement(ellipsisDot, count: dots))
        result.append(" ")
      } else {
        result.append(text[index])
      }
      index += max(1, dots)
    }
    return result
  }

  /// Replaces a mark between two characters.
  ///
  /// Each character is part of one replacement only, so in `a-b-c` only the first dash is replaced.
  private static func split(
    _ mark: Unicode.Scalar, in text: Characters, after isBefore: (Unicode.Scalar) -> Bool,
    before isAfter: (Unicode.Scalar) -> Bool, to replacement: String
  ) -> Characters {
    var result: Characters = []
    result.reserveCapacity(text.count + 8)
    var index = 0
    while index < text.count {
      if index + 2 < text.count, text[index + 1] == mark, isBefore(text[index]), isAfter(text[index + 2]) {
        result.append(text[index])
        result.append(contentsOf: replacement.unicodeScalars)
        result.append(text[index + 2])
        index += 3
      } else {
        result.append(text[index])
        index += 1
      }
    }
    return result
  }

  private static func unifyQuotesAndDashes(_ text: Characters) -> Characters {
    var text = text.map { "`\u{2018}\u{2019}".unicodeScalars.contains($0) ? "'" : $0 }
    text = text.replacing(["'", "'"], with: " \" ".unicodeScalars)
    text = text.flatMap { "\u{201C}\u{201D}".unicodeScalars.contains($0) ? [" ", "\"", " "] : [$0] }
    text = text.map { $0 == "\u{2013}" ? "-" : $0 }
    return text.replacing(["-", "-"], with: ["-"])
  }

  /// Splits English contractions before the apostrophe, `he's` to `he 's`, and separates other
  /// apostrophes.
  private static func splitContractions(_ text: Characters) -> Characters {
    var text = split("'", in: text, after: { !isLetter($0) }, before: { !isLetter($0) }, to: " ' ")
    text = split("'", in: text, after: { !isAlphanumeric($0) }, before: isLetter, to: " ' ")
    text = split("'", in: text, after: isLetter, before: { !isLetter($0) }, to: " ' ")
    text = split("'", in: text, after: isLetter, before: isLetter, to: " '")
    return split("'", in: text, after: isDigit, before: { $0 == "s" }, to: " '")
  }

  /// Splits a final dot from its word unless the word is an abbreviation; drops the dots of
  /// initials.
  private func splitDots(_ words: [String]) -> [String] {
    words.indices.flatMap { index -> [String] in
      let word = words[index]
      guard word.utf16.count > 1, word.utf8.last == UInt8(ascii: ".") else { return [word] }
      let stem = String(String.UnicodeScalarView(word.unicodeScalars.dropLast()))
      if stem.unicodeScalars.contains("."), stem.unicodeScalars.contains(where: Self.isLetter) {
        return [String(String.UnicodeScalarView(word.unicodeScalars.filter { $0 != "." }))]
      }
      let next = index + 1 < words.count ? words[index + 1].unicodeScalars.first : nil
      if keepsDot.contains(stem) || next.map({ ("a"..."z").contains($0) }) == true { return [word] }
      if keepsDotBeforeNumber.contains(stem), next.map(Self.isDigit) == true { return [word] }
      return [stem, "."]
    }
  }
}
