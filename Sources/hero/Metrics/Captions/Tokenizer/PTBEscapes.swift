/// The spelling of characters for which the Penn Treebank has no token.
enum PTBEscapes {
  static func withoutSoftHyphens(_ token: String) -> String {
    let kept = String(String.UnicodeScalarView(token.unicodeScalars.filter { $0 != "\u{AD}" }))
    return kept.isEmpty ? "-" : kept
  }

  static func unbreakable(_ token: String) -> String {
    mapped(token) { $0 == " " ? "\u{A0}" : nil }
  }

  static func parentheses(_ token: String) -> String {
    mapped(token) { $0 == "(" ? "-LRB-" : $0 == ")" ? "-RRB-" : nil }
  }

  static func ampersand(_ token: String) -> String {
    replacing("&amp;", in: token, by: "&")
  }

  /// Converts quotes to TeX's: grave accents open, apostrophes close.
  ///
  /// - Parameter opening: whether straight quotes open.
  static func quotes(_ token: String, opening: Bool) -> String {
    var token = replacing("&apos;", in: token, by: "'")
    token = replacing("&quot;", in: token, by: "\"")
    return mapped(token) { character in
      switch character {
      case "'": opening ? "`" : "'"
      case "\"": opening ? "``" : "''"
      case "\u{91}", "\u{2018}", "\u{201B}", "\u{2039}": "`"
      case "\u{92}", "\u{2019}", "\u{203A}": "'"
      case "\u{93}", "\u{201C}", "\u{AB}": "``"
      case "\u{94}", "\u{201D}", "\u{BB}": "''"
      default: nil
      }
    }
  }

  static func fraction(_ token: String) -> String {
    let written: [Unicode.Scalar: String] = [
      "\u{BC}": "1/4", "\u{BD}": "1/2", "\u{BE}": "3/4", "\u{2153}": "1/3", "\u{2154}": "2/3",
    ]
    return mapped(token) { written[$0] }
  }

  /// Writes pounds as `#`, as in the Treebank, and other currencies as dollars.
  static func currency(_ token: String) -> String {
    mapped(token) { character in
      switch character {
      case "\u{A2}": "cents"
      case "\u{A3}": "#"
      case "\u{80}", "\u{A4}", "\u{20A0}", "\u{20AC}": "$"
      default: nil
      }
    }
  }

  private static func mapped(_ token: String, _ replacement: (Unicode.Scalar) -> String?) -> String {
    var result = ""
    for scalar in token.unicodeScalars {
      if let replacement = replacement(scalar) {
        result += replacement
      } else {
        result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  /// Replaces an entity, in either case.
  private static func replacing(_ entity: String, in token: String, by character: String) -> String {
    let scalars = Array(token.unicodeScalars)
    let wanted = Array(entity.unicodeScalars)
    var result = ""
    var index = 0
    while index < scalars.count {
      let end = index + wanted.count
      if end <= scalars.count,
        zip(scalars[index..<end], wanted).allSatisfy({ $0.properties.lowercaseMapping == String($1) })
      {
        result += character
        index = end
      } else {
        result.unicodeScalars.append(scalars[index])
        index += 1
      }
    }
    return result
  }
}
