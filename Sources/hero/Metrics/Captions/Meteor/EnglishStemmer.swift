/// Martin Porter's second stemmer for English ("Porter2"), whose stems METEOR compares.
///
/// Source: snowballstem.org/algorithms/english/stemmer.html, in its form of 2001 to 2018.
public struct EnglishStemmer {
  private typealias Letters = [Unicode.Scalar]

  private static let vowels = Set("aeiouy".unicodeScalars)
  private static let doubles = Set("bdfgmnprt".unicodeScalars)
  private static let beforeLi = Set("cdeghkmnrt".unicodeScalars)
  private static let irregular: [String: String] = [
    "skis": "ski", "skies": "sky", "dying": "die", "lying": "lie", "tying": "tie", "idly": "idl",
    "gently": "gentl", "ugly": "ugli", "early": "earli", "only": "onli", "singly": "singl", "sky": "sky",
    "news": "news", "howe": "howe", "atlas": "atlas", "cosmos": "cosmos", "bias": "bias", "andes": "andes",
  ]
  private static let keptAfterFirstStep: Set<String> = [
    "inning", "outing", "canning", "herring", "earring", "proceed", "exceed", "succeed",
  ]
  /// The suffixes of step 2 with their replacements, the longest first; those of step 3 follow.
  private static let derivations: [(suffix: String, replacement: String)] = [
    ("ization", "ize"), ("ational", "ate"), ("fulness", "ful"), ("ousness", "ous"), ("iveness", "ive"),
    ("tional", "tion"), ("biliti", "ble"), ("lessli", "less"), ("entli", "ent"), ("ation", "ate"),
    ("alism", "al"), ("aliti", "al"), ("ousli", "ous"), ("iviti", "ive"), ("fulli", "ful"), ("enci", "ence"),
    ("anci", "ance"), ("abli", "able"), ("izer", "ize"), ("ator", "ate"), ("alli", "al"), ("bli", "ble"),
    ("ogi", "og"), ("li", ""),
  ]
  private static let furtherDerivations: [(suffix: String, replacement: String)] = [
    ("ational", "ate"), ("tional", "tion"), ("alize", "al"), ("icate", "ic"), ("iciti", "ic"), ("ative", ""),
    ("ical", "ic"), ("ness", ""), ("ful", ""),
  ]
  private static let endings = [
    "ement", "ance", "ence", "able", "ible", "ment", "ant", "ent", "ism", "ate", "iti", "ous", "ive", "ize",
    "ion",
    "al", "er", "ic",
  ]

  private var word: Letters
  /// The starts of the regions after the first and the second vowel-consonant pair.
  private var region1 = 0
  private var region2 = 0

  /// Returns the stem of a lower-case word.
  public static func stem(_ word: String) -> String {
    if let stem = irregular[word] { return stem }
    guard word.utf16.count >= 3 else { return word }
    var stemmer = EnglishStemmer(word)
    stemmer.removePlural()
    if !keptAfterFirstStep.contains(stemmer.text) {
      stemmer.removeTense()
      stemmer.replaceFinalY()
      stemmer.replaceDerivation()
      stemmer.replaceFurtherDerivation()
      stemmer.removeEnding()
      stemmer.removeFinalLetter()
    }
    return String(String.UnicodeScalarView(stemmer.word.map { $0 == "Y" ? "y" : $0 }))
  }

  private init(_ text: String) {
    word = Array(text.unicodeScalars)
    if word.first == "'" { word.removeFirst() }
    for index in word.indices where word[index] == "y" {
      if index == 0 || Self.vowels.contains(word[index - 1]) { word[index] = "Y" }
    }
    let prefix = ["gener", "commun", "arsen"].first { text in
      word.starts(with: text.unicodeScalars)
    }
    region1 = prefix?.count ?? afterVowelAndConsonant(from: 0)
    region2 = afterVowelAndConsonant(from: region1)
  }

  private var text: String { String(String.UnicodeScalarView(word)) }

  private func isVowel(_ index: Int) -> Bool { Self.vowels.contains(word[index]) }

  private func afterVowelAndConsonant(from start: Int) -> Int {
    guard let vowel = (start..<word.count).first(where: isVowel),
      let consonant = (vowel..<word.count).first(where: { !isVowel($0) })
    else { return word.count }
    return consonant + 1
  }

  private func hasSuffix(_ suffix: String) -> Bool {
    let letters = suffix.unicodeScalars
    return word.count >= letters.count && word.suffix(letters.count).elementsEqual(letters)
  }

  /// Returns whether the word up to `end` ends in a short syllable.
  private func endsInShortSyllable(at end: Int) -> Bool {
    guard end >= 2, !isVowel(end - 1), isVowel(end - 2) else { return false }
    if end == 2 { return true }
    return !isVowel(end - 3) && !["w", "x", "Y"].contains(word[end - 1])
  }

  private mutating func replace(_ suffix: String, by replacement: String) {
    word.removeLast(suffix.unicodeScalars.count)
    word.append(contentsOf: replacement.unicodeScalars)
  }

  private mutating func removePlural() {
    if let possessive = ["'s'", "'s", "'"].first(where: hasSuffix) { replace(possessive, by: "") }
    guard let suffix = ["sses", "ied", "ies", "ss", "us", "s"].first(where: hasSuffix) else { return }
    switch suffix {
    case "sses": replace("sses", by: "ss")
    case "ied", "ies": replace(suffix, by: word.count - 3 > 1 ? "i" : "ie")
    case "s":
      guard word.count >= 2, word.indices.dropLast(2).contains(where: isVowel) else { return }
      word.removeLast()
    default: return
    }
  }

  private mutating func removeTense() {
    guard let suffix = ["eedly", "ingly", "edly", "eed", "ing", "ed"].first(where: hasSuffix) else { return }
    let stemEnd = word.count - suffix.count
    if suffix.hasPrefix("eed") {
      if stemEnd >= region1 { replace(suffix, by: "ee") }
      return
    }
    guard (0..<stemEnd).contains(where: isVowel) else { return }
    replace(suffix, by: "")
    if ["at", "bl", "iz"].contains(where: hasSuffix) {
      word.append("e")
    } else if let last = word.last, word.count >= 2, word[word.count - 2] == last, Self.doubles.contains(last)
    {
      word.removeLast()
    } else if word.count == region1, endsInShortSyllable(at: word.count) {
      word.append("e")
    }
  }

  private mutating func replaceFinalY() {
    guard let last = word.last, last == "y" || last == "Y", word.count > 2, !isVowel(word.count - 2) else {
      return
    }
    word[word.count - 1] = "i"
  }

  private mutating func replaceDerivation() {
    guard let rule = Self.derivations.first(where: { hasSuffix($0.suffix) }) else { return }
    let stemEnd = word.count - rule.suffix.count
    guard stemEnd >= region1 else { return }
    if rule.suffix == "ogi", stemEnd == 0 || word[stemEnd - 1] != "l" { return }
    if rule.suffix == "li", stemEnd == 0 || !Self.beforeLi.contains(word[stemEnd - 1]) { return }
    replace(rule.suffix, by: rule.replacement)
  }

  private mutating func replaceFurtherDerivation() {
    guard let rule = Self.furtherDerivations.first(where: { hasSuffix($0.suffix) }) else { return }
    let stemEnd = word.count - rule.suffix.count
    guard stemEnd >= (rule.suffix == "ative" ? region2 : region1), stemEnd >= region1 else { return }
    replace(rule.suffix, by: rule.replacement)
  }

  private mutating func removeEnding() {
    guard let suffix = Self.endings.first(where: hasSuffix) else { return }
    let stemEnd = word.count - suffix.count
    guard stemEnd >= region2 else { return }
    if suffix == "ion", stemEnd == 0 || !["s", "t"].contains(word[stemEnd - 1]) { return }
    replace(suffix, by: "")
  }

  private mutating func removeFinalLetter() {
    guard let last = word.last else { return }
    let stemEnd = word.count - 1
    if last == "e" {
      guard stemEnd >= region2 || (stemEnd >= region1 && !endsInShortSyllable(at: stemEnd)) else { return }
      word.removeLast()
    } else if last == "l", stemEnd >= region2, stemEnd > 0, word[stemEnd - 1] == "l" {
      word.removeLast()
    }
  }
}
