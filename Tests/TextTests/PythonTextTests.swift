import Testing

@testable import Text

@Suite struct PythonTextTests {
  @Test(arguments: [
    ("HELLO", true), ("HELLO 5!", true), ("Hello", false), ("", false), ("123 !", false), ("ÉÀ", true),
    ("ǅ", false), ("AªB", false), ("Ⅳ", true), ("日本", false), ("A日", true),
  ])
  func tellsUpperCase(_ text: String, isUpper: Bool) {
    #expect(PythonText.isUpper(text) == isUpper)
  }

  @Test(arguments: [
    ("HELLO", "hello"), ("ΟΔΥΣΣΕΥΣ", "οδυσσευς"), ("Σ", "σ"), ("ΑΣ.Β", "ασ.β"), ("İ", "i\u{307}"),
    ("Α\u{301}Σ!", "α\u{301}ς!"), ("Ⅳ ẞ", "ⅳ ß"),
  ])
  func lowersAsPython(_ text: String, lowered: String) {
    #expect(PythonText.lowered(text).unicodeScalars.elementsEqual(lowered.unicodeScalars))
  }

  @Test(arguments: [
    ("  a b ", "a b"), ("\u{1C}\u{85}a\u{3000}", "a"), ("\u{200B}a\u{FEFF}", "\u{200B}a\u{FEFF}"),
    (" \t\n", ""),
    ("", ""), ("é ", "é"),
  ])
  func stripsAsPython(_ text: String, stripped: String) {
    var text = text
    let result = text.withUTF8 { bytes in
      String(decoding: bytes[PythonText.strippedRange(of: bytes, in: 0..<bytes.count)], as: UTF8.self)
    }
    #expect(result.unicodeScalars.elementsEqual(stripped.unicodeScalars))
  }
}

@Suite struct PreTokenizerTests {
  @Test(arguments: [
    ("Hello world", ["Hello", " world"]), ("I'd've don't", ["I", "'d", "'ve", " don", "'t"]),
    ("a  b", ["a", " ", " b"]), ("a \n b\n\n", ["a", " \n", " b", "\n\n"]), ("a\tb", ["a", "\t", "b"]),
    ("x²9 ½a", ["x", "²9", " ½", "a"]), (" 's", [" '", "s"]), ("'S're", ["'", "S", "'re"]),
    ("日本 🙂!", ["日本", " 🙂!"]), ("\u{1C}\u{A0}a", ["\u{1C}", "\u{A0}", "a"]), ("", []), ("'", ["'"]),
    ("' r", ["'", " r"]),
  ])
  func splitsAsTheRegularExpression(_ text: String, words: [String]) {
    var text = text
    let found = text.withUTF8 { bytes in
      var words = PreTokenizer(bytes, range: 0..<bytes.count)
      var found: [String] = []
      while let word = words.next() { found.append(String(decoding: bytes[word], as: UTF8.self)) }
      return found
    }
    #expect(found == words)
  }
}
