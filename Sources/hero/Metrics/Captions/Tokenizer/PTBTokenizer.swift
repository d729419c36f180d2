/// A tokenizer that splits captions into Penn Treebank tokens, as coco-caption does before it
/// scores.
///
/// It is Stanford's PTBTokenizer (`-preserveLines -lowerCase`, version 3.4.1), without punctuation.
public final class PTBTokenizer {
  /// The tokens that coco-caption drops, as bytes.
  ///
  /// coco-caption lists brackets in capitals but compares in lower case, so they stay, here too.
  /// Bytes tell the Greek question mark from a semicolon; Swift's strings do not.
  private static let punctuation: Set<[UInt8]> = Set(
    [
      "''", "'", "``", "`", "-LRB-", "-RRB-", "-LCB-", "-RCB-", ".", "?", "!", ",", ":", "-", "--", "...",
      ";",
    ].map { Array($0.utf8) })
  /// The line ends of any kind; inside a caption they become spaces.
  private static let lineEnds: Set<Unicode.Scalar> = [
    "\n", "\r", "\u{0B}", "\u{0C}", "\u{85}", "\u{2028}", "\u{2029}",
  ]

  private let rules = PTBRules.all
  private let automaton: LexerAutomaton
  /// The pattern, and what must follow it, of each rule that has both.
  private let parts: [Int: (pattern: LexerAutomaton, following: LexerAutomaton)]

  /// Builds the automata of all rules. Use one tokenizer for all captions.
  public init() {
    var parts: [Int: (pattern: LexerAutomaton, following: LexerAutomaton)] = [:]
    automaton = LexerAutomaton(
      rules.map { rule in rule.following.map { seq(rule.pattern, $0) } ?? rule.pattern })
    for (number, rule) in rules.enumerated() {
      guard let following = rule.following else { continue }
      parts[number] = (LexerAutomaton([rule.pattern]), LexerAutomaton([following]))
    }
    self.parts = parts
  }

  /// Returns the tokens of each caption, in lower case, without punctuation, joined by spaces.
  ///
  /// Captions are the lines of one text, as in coco-caption. The reading of a caption's last
  /// abbreviation may depend on the next caption's first word.
  public func tokenize(_ captions: [String]) -> [String] {
    lines(of: captions).map { line in
      line.map { $0.lowercased() }.filter { !Self.punctuation.contains(Array($0.utf8)) }
        .joined(separator: " ")
    }
  }

  /// Returns all tokens of each caption as Stanford's tokenizer writes them, before lower-casing.
  func lines(of captions: [String]) -> [[String]] {
    var text: [UInt16] = []
    for (number, caption) in captions.enumerated() {
      if number > 0 { text.append(UInt16(UInt8(ascii: "\n"))) }
      for scalar in caption.unicodeScalars {
        UTF16.encode(Self.lineEnds.contains(scalar) ? " " : scalar).map { text.append(contentsOf: $0) }
      }
    }
    var lines: [[String]] = [[]]
    var position = 0
    automaton.begin()
    for part in parts.values { part.pattern.begin() }
    while position < text.count {
      guard let match = longestMatch(in: text, from: position) else {
        position += 1  // A character of no token, such as half an emoji, is dropped.
        continue
      }
      let (token, end) = Self.apply(rules[match.rule].action, to: text, from: position, to: match.end)
      if case .newline = rules[match.rule].action { lines.append([]) }
      if let token { lines[lines.count - 1].append(token) }
      position = max(end, position + 1)
    }
    lines.append(contentsOf: repeatElement([], count: max(0, captions.count - lines.count)))
    return Array(lines.prefix(captions.count))
  }

  /// Returns the rule with the longest match from `start`, and the end of its token.
  private func longestMatch(in text: [UInt16], from start: Int) -> (rule: Int, end: Int)? {
    var longest: (rule: Int, end: Int)?
    automaton.scan(text, from: start) { end, rule in
      if end > start { longest = (rule, end) }
    }
    guard let longest, let part = parts[longest.rule] else { return longest }
    var ends: [Int] = []
    part.pattern.scan(text, from: start) { end, _ in
      if end < longest.end { ends.append(end) }
    }
    let end = ends.last { part.following.matches(text, $0..<longest.end) }
    return (longest.rule, end ?? longest.end)
  }

  /// Returns the token that an action makes of a match, if any, and the position to read on from.
  private static func apply(
    _ action: PTBRule.Action, to text: [UInt16], from start: Int, to matchEnd: Int
  ) -> (token: String?, end: Int) {
    var end = matchEnd
    func matched(_ end: Int) -> String { String(decoding: text[start..<end], as: UTF16.self) }
    switch action {
    case .keep: return (matched(end), end)
    case .split(let count): return (matched(end - count), end - count)
    case .replace(let token): return (token, end)
    case .withoutSoftHyphens: return (PTBEscapes.withoutSoftHyphens(matched(end)), end)
    case .unbreakable: return (PTBEscapes.unbreakable(matched(end)), end)
    case .unbreakableWithParentheses:
      return (PTBEscapes.parentheses(PTBEscapes.unbreakable(matched(end))), end)
    case .parentheses: return (PTBEscapes.parentheses(matched(end)), end)
    case .ampersand: return (PTBEscapes.ampersand(matched(end)), end)
    case .quotes(let opening): return (PTBEscapes.quotes(matched(end), opening: opening), end)
    case .fraction: return (PTBEscapes.fraction(matched(end)), end)
    case .currency: return (PTBEscapes.currency(matched(end)), end)
    case .hyphens: return ((3...4).contains(end - start) ? "--" : matched(end), end)
    case .sentenceFinalAbbreviation: return (matched(end), end - 1)
    case .sentenceFinalAcronym:
      end = withoutTrailingSpace(text, from: start, to: end)
      return end - start == 2 ? (matched(end - 1), end - 1) : (matched(end), end - 1)
    case .beforeNumber:
      end = withoutTrailingSpace(text, from: start, to: end)
      return (matched(end), end)
    case .skip, .newline: return (nil, end)
    }
  }

  private static func withoutTrailingSpace(_ text: [UInt16], from start: Int, to end: Int) -> Int {
    let spaces: Set<UInt16> = [0x20, 0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x85]
    var end = end
    while end > start + 1, spaces.contains(text[end - 1]) { end -= 1 }
    return end
  }
}
