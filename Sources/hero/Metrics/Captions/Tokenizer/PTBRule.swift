/// One rule of the tokenizer: what to match, what must follow, and what token that makes.
struct PTBRule: Sendable {
  enum Action: Sendable {
    /// The text as it is.
    case keep
    /// The text, and the last characters are read again as the next token: `can|not`.
    case split(atEnd: Int)
    /// A fixed token.
    case replace(String)
    /// Soft hyphens removed.
    case withoutSoftHyphens
    /// Spaces made unbreakable, so that the token stays one.
    case unbreakable
    /// The same, and parentheses by name.
    case unbreakableWithParentheses
    case parentheses
    /// `&amp;` to `&`.
    case ampersand
    /// Quotes as TeX writes them, opening or closing.
    case quotes(opening: Bool)
    case fraction
    case currency
    /// Three or four are a dash; others stay.
    case hyphens
    /// The abbreviation's dot is read again, as the sentence's.
    case sentenceFinalAbbreviation
    /// The same after trailing space is given back; of a single letter the dot is only the
    /// sentence's.
    case sentenceFinalAcronym
    /// Trailing space is given back.
    case beforeNumber
    /// No token.
    case skip
    /// The end of a line.
    case newline
  }

  var pattern: LexerPattern
  /// What must follow; it counts for which rule matches most, but is not part of the token.
  var following: LexerPattern?
  var action: Action

  init(_ pattern: LexerPattern, before following: LexerPattern? = nil, _ action: Action = .keep) {
    self.pattern = pattern
    self.following = following
    self.action = action
  }
}
