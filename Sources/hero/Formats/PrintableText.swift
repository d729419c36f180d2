extension StringProtocol {
  /// The text with control characters and direction marks escaped, as `\u{1B}` and the like.
  ///
  /// Names of files and words of subtitles come from strangers. Their control characters could move
  /// the cursor, change the window's title or hide output. Line feeds and tabs stay.
  public var printable: String {
    guard unicodeScalars.contains(where: Self.isHidden) else { return String(self) }
    var text = ""
    for scalar in unicodeScalars {
      if Self.isHidden(scalar) {
        text += "\\u{\(String(scalar.value, radix: 16, uppercase: true))}"
      } else {
        text.unicodeScalars.append(scalar)
      }
    }
    return text
  }

  private static func isHidden(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x09, 0x0A: false
    // C0, DEL and C1, then the embeddings, overrides and isolates of bidirectional text.
    case 0..<0x20, 0x7F..<0xA0, 0x202A...0x202E, 0x2066...0x2069: true
    default: false
    }
  }
}

extension Array where Element == String {
  /// Returns the first `most` names and the number of the others: `a, b and 3 more`.
  public func listed(_ most: Int) -> String {
    prefix(most).joined(separator: ", ") + (count > most ? " and \(count - most) more" : "")
  }
}
