/// A regular expression over UTF-16 code units.
indirect enum LexerPattern: Sendable {
  case set(LexerSet)
  case sequence([LexerPattern])
  case choice([LexerPattern])
  /// At least `minimum` times, and at most `maximum` if there is one.
  case repeated(LexerPattern, minimum: Int, maximum: Int?)

  /// One character of a set, as `LexerSet` reads it. The case counts.
  static func one(_ characters: String) -> LexerPattern { .set(LexerSet(characters)) }

  /// One character that is none of these.
  static func not(_ characters: String) -> LexerPattern { .set(!LexerSet(characters)) }

  /// A text, letter for letter, in either case.
  static func text(_ text: String) -> LexerPattern {
    .sequence(text.utf16.map { .set(LexerSet(bothCasesOf: $0)) })
  }

  /// One of several texts, in either case, separated by spaces.
  static func anyOf(_ words: String) -> LexerPattern {
    .choice(words.split(separator: " ").map { text(String($0)) })
  }

  var optional: LexerPattern { .repeated(self, minimum: 0, maximum: 1) }
  var many: LexerPattern { .repeated(self, minimum: 0, maximum: nil) }
  var some: LexerPattern { .repeated(self, minimum: 1, maximum: nil) }

  func times(_ counts: ClosedRange<Int>) -> LexerPattern {
    .repeated(self, minimum: counts.lowerBound, maximum: counts.upperBound)
  }

  func times(_ count: Int) -> LexerPattern { times(count...count) }
}

/// One pattern after the other.
func seq(_ parts: LexerPattern...) -> LexerPattern { .sequence(parts) }

/// Any one of the patterns.
func either(_ parts: LexerPattern...) -> LexerPattern { .choice(parts) }
