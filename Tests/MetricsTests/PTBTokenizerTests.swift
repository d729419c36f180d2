import Testing

@testable import Metrics

@Suite struct PTBTokenizerTests {
  /// Unclosed tags, addresses and attributes take linear time: no token is searched for again.
  @Test(arguments: ["<!a", "a!", "<a b=\"", "http://a(", "a@b(", "A. "])
  func longTextsTakeTimeInProportion(_ unit: String) {
    let tokenizer = PTBTokenizer()
    func time(_ count: Int) -> Duration {
      ContinuousClock().measure { _ = tokenizer.tokenize([String(repeating: unit, count: count)]) }
    }
    // The first text builds the automaton's states.
    _ = time(100)
    let (short, long) = (time(2_000), time(20_000))
    #expect(long < max(short, .milliseconds(20)) * 40, "\(short) and \(long)")
  }

  /// Cached states do not change the tokens: a caption reads the same alone and after others.
  @Test func whatIsReadDoesNotDependOnWhatWasPassed() {
    let tokenizer = PTBTokenizer()
    let tail = String(repeating: "<!a b@c http://x.y A.B. ", count: 40)
    let whole = tokenizer.tokenize([tail + "> end", "next >"])
    #expect(whole.count == 2 && whole[0].hasSuffix("end") && whole[1] == "next >")
    #expect(tokenizer.tokenize([tail + "> end", "next >"]) == whole)
    // The first tag reaches to the first `>`; without one, all pieces read alike.
    #expect(whole[0].hasPrefix("<!a\u{A0}b@c"))
    let pieces = tokenizer.tokenize([tail])[0].split(separator: " ")
    let count = pieces.count / 40
    #expect(count > 3 && pieces.count % 40 == 0)
    for piece in 1..<39 { #expect(pieces[piece * count..<(piece + 1) * count] == pieces[..<count]) }
  }

  /// coco-caption drops tokens by Unicode scalars: a Greek question mark is not a semicolon.
  @Test func punctuationIsDroppedByItsCharacters() {
    #expect(PTBTokenizer().tokenize(["a; b", "a\u{37E} b"]) == ["a b", "a \u{37E} b"])
  }

  /// The tokens of Stanford's PTBTokenizer 3.4.1 for these lines, read as one text.
  ///
  /// coco-caption has dropped the punctuation.
  private static let stanford: [(caption: String, tokens: String)] = [
    (
      "He's 5'10\" and can't, won't, shouldn't've gone gonna wanna cannot.",
      "he 's 5 10 and ca n't wo n't should n't 've gone gon na wan na can not"
    ),
    (
      "Dr. Smith of the U.S. Navy met J.R. at 5 p.m. The end etc.",
      "dr. smith of the u.s. navy met j.r. at 5 p.m. the end etc."
    ),
    (
      "\"Hello,\" she said -- it's 'fine'... (really) [no] {yes}",
      "hello she said it 's fine -lrb- really -rrb- -lsb- no -rsb- -lcb- yes -rcb-"
    ),
    (
      "Visit http://a.b/c?d=e, www.foo.com or mail joe@x.org; see file.txt!",
      "visit http://a.b/c?d=e www.foo.com or mail joe@x.org; see file.txt"
    ),
    (
      "It cost $3.50, \u{A3}20 or \u{20AC}5 and 1 1/2 cups, \u{BD} off & 50% at AT&T &amp; R&B",
      "it cost $ 3.50 # 20 or $ 5 and 1\u{A0}1/2 cups 1/2 off & 50 % at at&t & r&b"
    ),
    (
      "rock'n'roll o'clock y'all 'tis 'twas 90's '80s T-shirt co-ed 555-1234 (412) 555-1234",
      "rock 'n' roll o'clock y' all 't is 't was 90 's '80s t-shirt co-ed 555-1234 -lrb-412-rrb-\u{A0}555-1234"
    ),
    (
      "Monica<i> said :) to <b class=\"x\">Chandler</b> \u{1F600} na\u{EF}ve caf\u{E9} soft\u{AD}hyphen \u{201C}quoted\u{201D} \u{2018}single\u{2019}",
      "monica <i> said :-rrb- to <b\u{A0}class=\"x\"> chandler </b> na\u{EF}ve caf\u{E9} softhyphen quoted single"
    ),
    (
      "plan B.",
      "plan b"
    ),
    (
      "The next line",
      "the next line"
    ),
    (
      "",
      ""
    ),
    (
      "ends in Inc.",
      "ends in inc."
    ),
    (
      "Next fig. 5 and No. 7 @joe #tag c++ 12/25/2010 3,000.5 ---- ----- __ **",
      "next fig. 5 and no. 7 @joe #tag c++ 12/25/2010 3,000.5 ----- __ **"
    ),
  ]

  @Test func tokensAreStanfords() {
    let tokens = PTBTokenizer().tokenize(Self.stanford.map(\.caption))
    for (tokens, expected) in zip(tokens, Self.stanford) { #expect(tokens == expected.tokens) }
    #expect(tokens.count == Self.stanford.count)
  }

  @Test func everyCaptionHasItsLine() {
    let tokenizer = PTBTokenizer()
    #expect(tokenizer.tokenize([]).isEmpty)
    #expect(tokenizer.tokenize(["", "", ""]) == ["", "", ""])
    // Line breaks inside a caption are spaces.
    #expect(
      tokenizer.tokenize(["one\ntwo\r\nthree\u{2028}four", "five\n"]) == ["one two three four", "five"])
  }

  @Test func anyTextIsRead() {
    var random = Sequence64(state: 7)
    let tokenizer = PTBTokenizer()
    for _ in 0..<200 {
      let scalars = (0..<40).compactMap { _ in Unicode.Scalar(UInt32.random(in: 0...0x2FFF, using: &random)) }
      let captions = [String(String.UnicodeScalarView(scalars)), "a cat"]
      #expect(tokenizer.tokenize(captions).count == 2)
    }
  }
}
