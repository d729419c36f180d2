/// WordNet's sets of synonyms by word, as METEOR 1.5 packs them (`synonym/english.synsets` and `english.exceptions`).
struct MeteorSynonyms: Sendable {
  private let synsets: [Substring: [Int32]]
  /// Base forms of irregular forms.
  private let bases: [Substring: [Substring]]

  /// Endings of inflected nouns, verbs and adjectives, and what the base form has instead, in WordNet's order.
  private static let endings: [(inflected: String, base: String)] = [
    ("s", ""), ("ses", "s"), ("xes", "x"), ("zes", "z"), ("ches", "ch"), ("shes", "sh"), ("men", "man"),
    ("ies", "y"), ("s", ""), ("ies", "y"), ("es", "e"), ("es", ""), ("ed", "e"), ("ed", ""), ("ing", "e"),
    ("ing", ""), ("er", ""), ("est", ""), ("er", "e"), ("est", "e"),
  ]

  /// - Parameters:
  ///   - synsets: lines in pairs: a word, and the numbers of its sets.
  ///   - exceptions: lines in pairs: a base form, and its irregular forms.
  init(synsets: [Substring], exceptions: [Substring]) {
    var sets: [Substring: [Int32]] = [:]
    for (word, numbers) in Self.pairs(synsets) {
      sets[word] = numbers.split(separator: " ").compactMap { Int32($0) }
    }
    var bases: [Substring: [Substring]] = [:]
    for (base, forms) in Self.pairs(exceptions) {
      for form in forms.split(separator: " ") { bases[form, default: []].append(base) }
    }
    self.synsets = sets
    self.bases = bases
  }

  /// The sets that a word belongs to, itself or by its base form.
  func sets(of word: String) -> Set<Int32> {
    var sets = Set(synsets[word[...]] ?? [])
    if let bases = bases[word[...]] {
      for base in bases { sets.formUnion(synsets[base] ?? []) }
    } else if let base = regularBase(of: word) {
      sets.formUnion(synsets[base[...]] ?? [])
    }
    return sets
  }

  private func regularBase(of word: String) -> String? {
    if word.hasSuffix("ss") || word.utf16.count <= 2 { return word }
    for (inflected, base) in Self.endings where word.hasSuffix(inflected) {
      let candidate = word.dropLast(inflected.count) + base
      if synsets[candidate[...]] != nil { return String(candidate) }
    }
    return nil
  }

  private static func pairs(_ lines: [Substring]) -> some Sequence<(Substring, Substring)> {
    stride(from: 0, to: lines.count - lines.count % 2, by: 2).lazy.map { (lines[$0], lines[$0 + 1]) }
  }
}
