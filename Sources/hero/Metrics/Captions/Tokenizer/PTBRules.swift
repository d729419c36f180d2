/// The rules of Penn Treebank tokenization, as in Stanford's PTBTokenizer 3.4.1 with default
/// options.
///
/// The rule with the longest match wins, including what must follow; of equal ones, the first. A
/// text (`.text`) matches in either case, a character set only as written.
enum PTBRules {
  // MARK: Characters

  private static let letterSet = LexerSet(.letter)
  private static let letterOrDigitSet = LexerSet([.letter, .digit]) | LexerSet("\u{07C0}-\u{07C9}")
  private static let space = LexerPattern.one(" \t\u{A0}\u{2000}-\u{200A}\u{3000}")
  private static let newline = either(
    seq(.one("\r").optional, .one("\n")), .one("\r\u{2028}\u{2029}\u{0B}\u{0C}\u{85}"))
  private static let spaceOrNewline = either(space, newline)
  private static let digit = LexerPattern.set(LexerSet(.digit) | LexerSet("\u{07C0}-\u{07C9}"))
  /// A letter in the wide sense, with marks, soft hyphens and accented letters in SGML.
  private static let letter = either(
    .set(
      letterSet | LexerSet(.mark)
        | LexerSet("\u{AD}\u{02C2}-\u{02C5}\u{02D2}-\u{02DF}\u{02E5}-\u{02FF}\u{0384}\u{0385}\u{03F6}")),
    seq(.text("&"), .one("aeiouAEIOU"), .anyOf("acute grave uml"), .text(";")))
  private static let plainLetter = LexerPattern.set(letterSet)
  private static let plainLetterOrDigit = LexerPattern.set(letterOrDigitSet)
  private static let latinOrDigit = LexerPattern.one("A-Za-z0-9")
  private static let apostrophe = either(.one("'\u{92}\u{2019}"), .text("&apos;"))
  private static let anyApostrophe = either(apostrophe, .one("`\u{91}\u{2018}\u{201B}"))
  private static let ampersand = either(.text("&"), .text("&amp;"))
  private static let insideSentence = LexerPattern.one(",;:\u{3001}")

  // MARK: Words

  private static let wordPart = seq(letter, either(letter, digit).many)
  private static let word = seq(wordPart, seq(.one(".!?"), wordPart).many)
  private static let elidedPrefix = seq(.one("dDoOlL"), anyApostrophe, plainLetterOrDigit).optional
  private static let compoundPart = seq(elidedPrefix, plainLetterOrDigit.some)
  private static let compound = seq(
    compoundPart, seq(.one("-_\u{058A}\u{2010}\u{2011}"), compoundPart).many)
  private static let initials = seq(
    .one("A-Z").some, seq(either(.one("+"), ampersand), .one("A-Z").some).some)
  private static let hyphenated = seq(latinOrDigit.some, seq(.one("-"), .one("A-Za-z").some).times(0...2))
  private static let slashed = seq(
    hyphenated, seq(.text("\\").optional, .text("/"), hyphenated).times(1...2))
  private static let country = seq(.anyOf("Canada Sino Korean EU Japan non"), .text("-U.S"))
  private static let namedAcronym = either(country, seq(.text("U.S.-"), .anyOf("U.K U.S.S.R")))
  private static let latin = LexerPattern.one("A-Za-z")
  private static let acronym = either(seq(latin, seq(.text("."), latin).many), namedAcronym)
  private static let longAcronym = either(seq(latin, seq(.text("."), latin).some), namedAcronym)
  private static let dottedCompound = seq(
    latinOrDigit, .one("A-Za-z0-9.,\u{AD}").many,
    seq(
      .text("-"), either(.one("A-Za-z0-9\u{AD}").some, seq(longAcronym, .text(".")))
    ).some)

  // MARK: Apostrophes

  private static let contraction = seq(apostrophe, either(.one("msdMSD"), .anyOf("re ve ll")))
  private static let negation = seq(.text("n"), anyApostrophe, .text("t"))
  private static let beforeNegation = seq(
    .one("A-Za-z\u{AD}").many, .one("A-MO-Za-mo-z"), .one("\u{AD}").many)
  private static let apostropheWord = either(
    seq(apostrophe, .text("n"), apostrophe.optional), seq(.one("lLdDjJ"), apostrophe),
    seq(.anyOf("dunkin somethin ol"), apostrophe), seq(apostrophe, .text("em")),
    seq(.one("A-HJ-XZn"), anyApostrophe, plainLetter, plainLetter, plainLetter.many),
    seq(apostrophe, .one("2-9"), .text("0s")), seq(apostrophe, .text("til"), .text("l").optional),
    seq(plainLetter.some, .one("aeiouyAEIOUY"), anyApostrophe, .one("aeiouA-Z"), plainLetter.many),
    seq(apostrophe, .text("cause")), seq(.text("cont'd"), .text(".").optional),
    .anyOf("'twas nor'easter c'mon e'er s'mores ev'ry li'l nat'l"), seq(.text("o"), anyApostrophe, .text("o"))
  )

  // MARK: Numbers

  private static let plainNumber = either(
    digit.some, seq(digit.many, seq(.one(".:,\u{AD}\u{066B}\u{066C}"), digit.some).some))
  private static let number = seq(.one("-+").optional, plainNumber)
  private static let raisedOrLowered = seq(
    .one("\u{207A}\u{207B}\u{208A}\u{208B}").optional,
    either(.one("\u{2070}\u{B9}\u{B2}\u{B3}\u{2074}-\u{2079}").some, .one("\u{2080}-\u{2089}").some))
  private static let date = seq(
    digit.times(1...2), .one("-/"), digit.times(1...2), .one("-/"), digit.times(2...4))
  private static let fraction = seq(
    seq(digit.times(1...4), .one("- \u{A0}")).optional, digit.times(1...4),
    either(seq(.text("\\").optional, .text("/")), .text("\u{2044}")), digit.times(1...4))
  private static let arabic = LexerPattern.one("0-9")
  private static let gap = LexerPattern.one("- \u{A0}")
  private static let international = seq(.text("+"), .text("+").optional).optional
  private static let phone = either(
    seq(
      either(
        seq(.text("("), arabic.times(2...3), .text(")"), .one(" \u{A0}").optional),
        seq(international, seq(arabic.times(2...4), gap).optional, arabic.times(2...4), gap)),
      arabic.times(3...4), gap.optional, arabic.times(3...5)),
    seq(
      seq(international, arabic.times(2...4), .text(".")).optional, arabic.times(2...4), .text("."),
      arabic.times(3...4), .text("."), arabic.times(3...5)))

  // MARK: Addresses and mark-up

  private static let fullURL = seq(
    .text("http"), .text("s").optional, .text("://"), .not(" \t\n\u{0C}\r\"<>|(){}").some,
    .not(" \t\n\u{0C}\r\"<>|.!?(){},-"))
  private static let likelyURL = seq(
    either(
      seq(
        .text("www."), seq(.not(" \t\n\u{0C}\r\"<>|.!?(){},").some, .text(".")).some,
        .one("a-zA-Z").times(2...4)),
      seq(
        seq(.not(" \t\n\u{0C}\r\"`'<>|.!?(){},-_$").some, .text(".")).some, .anyOf("com net org edu"))),
    seq(
      .text("/"), .not(" \t\n\u{0C}\r\"<>|()").some, .not(" \t\n\u{0C}\r\"<>|.!?(){},-")
    ).optional)
  private static let hostPart = LexerPattern.not(" \t\n\u{0C}\r\"<>|(){}.\u{A0}").some
  private static let email = seq(
    either(.text("&lt;"), .text("<")).optional, latinOrDigit,
    .not(" \t\n\u{0C}\r\"<>|(){}\u{A0}").many, .text("@"), seq(hostPart, .text(".")).many, hostPart,
    either(.text("&gt;"), .text(">")).optional)
  private static let handle = either(
    seq(.text("@"), .one("a-zA-Z_"), .one("a-zA-Z_0-9").many), seq(.text("#"), letter.some))
  private static let fileName = seq(
    either(letter, digit).some, seq(.text("."), either(letter, digit).some).many, .text("."),
    PTBWords.fileExtensions)
  private static let tagName = seq(latin, .one("A-Za-z0-9_:.-").many)
  private static let blanks = LexerPattern.text(" ").many
  private static let attribute = seq(
    tagName, blanks, .text("="), blanks,
    either(
      seq(.text("'"), .not("'").many, .text("'")), seq(.text("\""), .not("\"").many, .text("\""))))
  private static let tag = seq(
    .text("<"),
    either(
      seq(.one("!?"), .one("A-Za-z-"), .not(">\r\n").many),
      seq(
        tagName, seq(.text(" ").some, either(tagName, attribute)).many, blanks, .text("/").optional),
      seq(.text("/"), tagName)),
    blanks, .text(">"))
  private static let sentenceEnd = seq(
    spaceOrNewline, either(spaceOrNewline, .set(LexerSet(.uppercase)), tag))

  // MARK: Marks

  private static let doubleQuote = either(.text("\""), .text("&quot;"))
  private static let quotes = either(
    apostrophe, .text("''"),
    .one("`\u{2018}-\u{201F}\u{91}-\u{94}\u{2039}\u{203A}\u{AB}\u{BB}").times(1...2))
  private static let smiley = seq(
    .one("<>").optional, .one(":;="), .one("-o*'").optional, .one("()DPdpO\\{@|[]"))
  private static let asianSmiley = either(
    seq(.one("-^x=~<>'"), .text("_"), .one("-^x=~<>'")),
    seq(.text("("), .one("-^x=~<>'"), .one("_.").optional, .one("-^x=~<>'"), .text(")")),
    seq(.text("("), .one("^x=~<>'"), .text("-"), .one("^x=~<>'`"), .text(")")))
  private static let symbols = LexerPattern.one(
    "+%&~^|\\\u{A6}-\u{A9}\u{AC}\u{AE}-\u{BA}\u{D7}\u{F7}\u{0387}\u{05BE}\u{05C0}\u{05C3}\u{05C6}\u{05F3}\u{05F4}"
      + "\u{0600}-\u{0603}\u{0606}-\u{060A}\u{060C}\u{0614}\u{061B}\u{061E}\u{066A}\u{066D}\u{0703}-\u{070D}"
      + "\u{07F6}-\u{07F8}\u{0964}\u{0965}\u{0E4F}\u{1FBD}\u{2016}\u{2017}\u{2020}-\u{2023}\u{2030}-\u{2038}"
      + "\u{203B}\u{203E}-\u{2042}\u{2044}\u{207A}-\u{207F}\u{208A}-\u{208E}\u{2100}-\u{214F}\u{2190}-\u{2BFF}"
      + "\u{3012}\u{30FB}\u{FF01}-\u{FF0F}\u{FF1A}-\u{FF20}\u{FF3B}-\u{FF40}\u{FF5B}-\u{FF65}")

  // MARK: Rules, in order

  static let all: [PTBRule] = words + numbersAndNames + abbreviations + marks + compounds + spaces

  private static let words: [PTBRule] = [
    PTBRule(.text("c++")), PTBRule(seq(.one("cfCF"), .text("#"))), PTBRule(.text("cannot"), .split(atEnd: 3)),
    PTBRule(.text("'twas"), .split(atEnd: 3)), PTBRule(.text("'tis"), .split(atEnd: 2)),
    PTBRule(.anyOf("gonna gotta lemme gimme wanna"), .split(atEnd: 2)), PTBRule(tag, .unbreakable),
    PTBRule(
      either(
        seq(.text("&"), .anyOf("MD mdash ndash"), .text(";")),
        .one("\u{96}\u{97}\u{2013}-\u{2015}")), .replace("--")),
    PTBRule(.text("&amp;"), .ampersand),
    PTBRule(
      seq(
        .text("&"), either(.anyOf("HT TL UR LR QC QL QR odq cdq"), seq(.text("#"), arabic.some)), .text(";"))),
    PTBRule(word, before: contraction, .withoutSoftHyphens),
    PTBRule(beforeNegation, before: negation, .withoutSoftHyphens), PTBRule(word, .withoutSoftHyphens),
    PTBRule(apostropheWord), PTBRule(seq(.text("y"), apostrophe), before: plainLetter),
  ]

  private static let numbersAndNames: [PTBRule] = [
    PTBRule(fullURL), PTBRule(likelyURL), PTBRule(email), PTBRule(handle),
    PTBRule(contraction, before: .not("A-Za-z"), .quotes(opening: false)),
    PTBRule(negation, before: .not("A-Za-z"), .quotes(opening: false)), PTBRule(date),
    PTBRule(number, .withoutSoftHyphens), PTBRule(raisedOrLowered), PTBRule(fraction, .unbreakable),
    PTBRule(.one("\u{BC}-\u{BE}\u{2153}-\u{215E}"), .fraction),
    PTBRule(
      either(
        seq(.text("-"), .anyOf("RRB LRB RCB LCB RSB LSB"), .text("-")), .text("C.D.s"), .text("pro-"),
        .text("anti-"), seq(.text("S"), ampersand, .anyOf("P-500 Ls")),
        seq(.text("Cap"), apostrophe, .text("n")),
        seq(.text("c"), apostrophe, .text("est"))), .ampersand),
    PTBRule(slashed), PTBRule(either(seq(.one("A-Z").many, .text("$")), .text("#"))),
    PTBRule(
      .one("\u{A2}-\u{A5}\u{80}\u{20A0}\u{20AC}\u{060B}\u{0E3F}\u{20A4}\u{FFE0}\u{FFE1}\u{FFE5}\u{FFE6}"),
      .currency),
  ]

  private static let abbreviations: [PTBRule] = [
    PTBRule(
      seq(acronym, .text(".")),
      before: seq(spaceOrNewline.some, either(PTBWords.sentenceOpeners, tag), spaceOrNewline),
      .sentenceFinalAcronym),
    PTBRule(
      seq(PTBWords.beforeNumber, .text(".")), before: seq(spaceOrNewline.optional, .set(LexerSet(.digit))),
      .beforeNumber),
    PTBRule(
      seq(either(seq(.text("pt"), .one("eyEY")), .text("co")), .text(".")),
      before: seq(space, .anyOf("ltd lim"))),
    PTBRule(seq(PTBWords.usuallyInside, .text(".")), before: sentenceEnd, .sentenceFinalAbbreviation),
    PTBRule(seq(PTBWords.usuallyInside, .text(".")), before: seq(.not(""), .not(""))),
    PTBRule(seq(PTBWords.usuallyInside, .text(".")), .sentenceFinalAbbreviation),
    PTBRule(seq(either(PTBWords.usuallyBeforeName, acronym), .text("."))),
    PTBRule(either(PTBWords.usuallyBeforeName, acronym), before: space),
    PTBRule(acronym, before: spaceOrNewline),
    PTBRule(seq(apostrophe, arabic.times(2)), before: spaceOrNewline),
    PTBRule(fileName, before: either(spaceOrNewline, .one(".?!,"))),
    PTBRule(seq(word, .text(".")), before: insideSentence, .withoutSoftHyphens),
    PTBRule(phone, .unbreakableWithParentheses),
  ]

  private static let marks: [PTBRule] = [
    PTBRule(doubleQuote, before: .one("A-Za-z0-9$"), .quotes(opening: true)),
    PTBRule(doubleQuote, .quotes(opening: false)), PTBRule(.text("\u{7F}"), .skip),
    PTBRule(either(.text("<"), .text("&lt;")), .replace("<")),
    PTBRule(either(.text(">"), .text("&gt;")), .replace(">")),
    PTBRule(smiley, before: .not("A-Za-z0-9"), .parentheses), PTBRule(asianSmiley, .parentheses),
    PTBRule(.text("{"), .replace("-LCB-")), PTBRule(.text("}"), .replace("-RCB-")),
    PTBRule(.text("["), .replace("-LSB-")), PTBRule(.text("]"), .replace("-RSB-")),
    PTBRule(.text("("), .replace("-LRB-")), PTBRule(.text(")"), .replace("-RRB-")),
    PTBRule(LexerPattern.text("-").some, .hyphens),
    PTBRule(
      either(
        LexerPattern.text(".").times(3...5),
        seq(seq(.text("."), .one(" \u{A0}")).times(2...4), .text(".")), .one("\u{85}\u{2026}")),
      .replace("...")),
    PTBRule(either(LexerPattern.text("@").some, LexerPattern.text("#").some, LexerPattern.text("_").some)),
    PTBRule(either(LexerPattern.text("*").some, LexerPattern.text("\\*").times(1...3))),
    PTBRule(insideSentence),
    PTBRule(LexerPattern.one("?!").some),
    PTBRule(.one(".\u{A1}\u{BF}\u{037E}\u{0589}\u{061F}\u{06D4}\u{0700}-\u{0702}\u{07FA}\u{3002}")),
    PTBRule(.text("=")), PTBRule(.text("/")),
  ]

  private static let compounds: [PTBRule] = [
    PTBRule(seq(dottedCompound, .text(".")), before: insideSentence, .withoutSoftHyphens),
    PTBRule(dottedCompound, .withoutSoftHyphens), PTBRule(seq(compound, .text(".")), before: insideSentence),
    PTBRule(compound), PTBRule(seq(initials, .text(".")), before: insideSentence, .ampersand),
    PTBRule(initials, .ampersand),
    PTBRule(.text("'"), before: seq(latin, .not(" \t\n\r\u{A0}")), .quotes(opening: true)),
    PTBRule(contraction, .quotes(opening: false)), PTBRule(negation, .quotes(opening: false)),
    PTBRule(quotes, .quotes(opening: false)), PTBRule(either(.text("<<"), .text(">>"))), PTBRule(symbols),
  ]

  private static let spaces: [PTBRule] = [
    PTBRule(either(.text("\0"), space.some, .one("\u{200B}\u{200E}\u{200F}\u{FEFF}")), .skip),
    PTBRule(newline, .newline), PTBRule(.text("&nbsp;"), .skip),
  ]
}
