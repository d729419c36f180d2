/// Formats text in the roff language of manual pages.
enum Roff {
  /// Returns text with all special characters escaped, including a dot at the start of a line.
  static func text(_ text: String) -> String {
    var escaped = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\\": escaped += "\\[rs]"
      case "-": escaped += "\\-"
      // Without escapes, these are typeset as other characters, which no shell accepts.
      case "'": escaped += "\\[aq]"
      case "`": escaped += "\\[ga]"
      case "^": escaped += "\\[ha]"
      case "~": escaped += "\\[ti]"
      default:
        let hexadecimal = String(scalar.value, radix: 16, uppercase: true)
        escaped +=
          scalar.isASCII
          ? String(scalar)
          : "\\[u\(String(repeating: "0", count: max(0, 4 - hexadecimal.count)))\(hexadecimal)]"
      }
    }
    return escaped.hasPrefix(".") ? "\\&" + escaped : escaped
  }

  static func bold(_ text: String) -> String { "\\fB\(Self.text(text))\\fR" }

  static func italic(_ text: String) -> String { "\\fI\(Self.text(text))\\fR" }

  /// Returns an argument of a macro, which may contain spaces.
  static func quoted(_ text: String) -> String {
    "\"\(Self.text(text).replacing("\"", with: "\\[dq]"))\""
  }
}
