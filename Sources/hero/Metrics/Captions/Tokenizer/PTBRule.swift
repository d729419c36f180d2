/// A rule of the tokenizer: the text to match, what must follow it, and the token that it makes.
struct PTBRule: Sendable {
  enum Action: Sendable {
    /// The text as it is.
    case keep
    /// The text without its last characters, which are read again as the next token: `can|not`.
    case split(atEnd: Int)
    /// A fixed token.
    case replace(String)
    /// The text without soft hyphens.
    case withoutSoftHyphens
    /// The text with non-breaking spaces, so that it stays one token.
    case unbreakable
    /// The same, with parentheses replaced by their names.
    case unbreakableWithParentheses
    case parentheses
    /// The text with `&` for `&amp;`.
    case ampersand
    /// The quotes in TeX's spelling, opening or closing.
    case quotes(opening: Bool)
    case fraction
    case currency
    /// A dash for three or four hyphens; other numbers stay.
    case hyphens
    /// The abbreviation; its dot is read again as the sentence's.
    case sentenceFinalAbbreviation
    /// The same without trailing space, which is read again. A single letter loses its dot.
    case sentenceFinalAcronym
    /// The text without trailing space, which is read again.
    case beforeNumber
    /// No token.
    case skip
    /// The end of a line.
    case newline
  }

  var pattern: LexerPattern
  /// The text that must follow; it counts for the longest match, but is not part of the token.
  var following: LexerPattern?
  var action: Action

  init(_ pattern: LexerPattern, before following: LexerPattern? = nil, _ action: Action = .keep) {
    self.pattern = pattern
    self.following = following
    self.action = action
  }
}
