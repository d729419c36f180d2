/// Penn Treebank tokens of captions, as coco-caption makes them before it scores: Stanford's
/// PTBTokenizer (`-preserveLines -lowerCase`, version 3.4.1), then punctuation dropped.
public final class PTBTokenizer {
  /// What coco-caption drops. The brackets are listed in capitals but compared in lower case, so
  /// they stay, as there. As bytes: to Swift, which compares texts as people read them, the Greek
  /// question mark is a semicolon.
  private static let punctuation: Set<[UInt8]> = Set(
    [
      "''", "'", "``", "`", "-LRB-", "-RRB-", "-LCB-", "-RCB-", ".", "?", "!", ",", ":", "-", "--", "...",
      ";",
    ].map { Array($0.utf8) })
  /// Line ends of any kind; inside a caption they are spaces.
  private static let lineEnds: Set<Unicode.Scalar> = [
    "\n", "\r", "\u{0B}", "\u{0C}", "\u{85}", "\u{2028}", "\u{2029}",
  ]

  private let rules = PTBRules.all
  private let automaton: LexerAutomaton
  /// Per rule with a condition on what follows: the pattern by itself, and what must follow.
  private let parts: [Int: (pattern: LexerAutomaton, following: LexerAutomaton)]

  /// Builds the automata of all rules; make one and use it for every caption.
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

  /// The tokens of each caption, in lower case, without punctuation, joined by spaces.
  ///
  /// The captions are read as the lines of one text, as coco-caption does: how a caption's last
  /// abbreviation is read may depend on the next one's first word.
  public func tokenize(_ captions: [String]) -> [String] {
    lines(of: captions).map { line in
      line.map { $0.lowercased() }.filter { !Self.punctuation.contains(Array($0.utf8)) }
        .joined(separator: " ")
    }
  }

  /// All tokens of each caption as Stanford's tokenizer writes them, before lower-casing.
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

  /// The rule that reads most from here, and where its token ends.
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

  /// The token that an action makes of a match, if any, and where reading goes on.
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
