/// A regular expression over UTF-16 code units.
indirect enum LexerPattern: Sendable {
  case set(LexerSet)
  case sequence([LexerPattern])
  case choice([LexerPattern])
  /// A repetition: at least `minimum` times, and at most `maximum` times if given.
  case repeated(LexerPattern, minimum: Int, maximum: Int?)

  /// Returns a pattern of one character of a set, as `LexerSet` reads it, in the case given.
  static func one(_ characters: String) -> LexerPattern { .set(LexerSet(characters)) }

  /// Returns a pattern of one character outside of a set.
  static func not(_ characters: String) -> LexerPattern { .set(!LexerSet(characters)) }

  /// Returns a pattern of a text, in either case.
  static func text(_ text: String) -> LexerPattern {
    .sequence(text.utf16.map { .set(LexerSet(bothCasesOf: $0)) })
  }

  /// Returns a pattern of one of several texts, in either case; spaces separate the texts.
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

/// Returns a pattern of these patterns one after the other.
func seq(_ parts: LexerPattern...) -> LexerPattern { .sequence(parts) }

/// Returns a pattern of any one of these patterns.
func either(_ parts: LexerPattern...) -> LexerPattern { .choice(parts) }
