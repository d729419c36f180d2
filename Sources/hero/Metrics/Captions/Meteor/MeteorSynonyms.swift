import Formats

/// WordNet's synonym sets by word, as in METEOR 1.5 (`synonym/english.synsets` and
/// `english.exceptions`).
struct MeteorSynonyms: Sendable {
  private let synsets: [Name: [Int32]]
  /// The base forms of irregular forms.
  private let bases: [Name: [Name]]

  /// The suffixes of inflected nouns, verbs and adjectives with those of the base form, in
  /// WordNet's order.
  private static let endings: [(inflected: String, base: String)] = [
    ("s", ""), ("ses", "s"), ("xes", "x"), ("zes", "z"), ("ches", "ch"), ("shes", "sh"), ("men", "man"),
    ("ies", "y"), ("s", ""), ("ies", "y"), ("es", "e"), ("es", ""), ("ed", "e"), ("ed", ""), ("ing", "e"),
    ("ing", ""), ("er", ""), ("est", ""), ("er", "e"), ("est", "e"),
  ]

  /// - Parameters:
  ///   - synsets: pairs of lines: a word, and the numbers of its sets.
  ///   - exceptions: pairs of lines: a base form, and its irregular forms.
  init(synsets: [Substring], exceptions: [Substring]) {
    var sets: [Name: [Int32]] = [:]
    for (word, numbers) in Self.pairs(synsets) {
      sets[Name(String(word))] = numbers.split(separator: " ").compactMap { Int32($0) }
    }
    var bases: [Name: [Name]] = [:]
    for (base, forms) in Self.pairs(exceptions) {
      let base = Name(String(base))
      for form in forms.split(separator: " ") { bases[Name(String(form)), default: []].append(base) }
    }
    self.synsets = sets
    self.bases = bases
  }

  /// Returns the sets of a word and of its base form.
  func sets(of word: String) -> Set<Int32> {
    var sets = Set(synsets[word] ?? [])
    for base in bases[word] ?? regularBase(of: word).map({ [Name($0)] }) ?? [] {
      sets.formUnion(synsets[base] ?? [])
    }
    return sets
  }

  private func regularBase(of word: String) -> String? {
    // Compare bytes: to Swift an `s` with an accent on it is another letter, to Java it is an `s`.
    func ends(in ending: String) -> Bool { word.utf8.suffix(ending.utf8.count).elementsEqual(ending.utf8) }
    if ends(in: "ss") || word.utf16.count <= 2 { return word }
    for (inflected, base) in Self.endings where ends(in: inflected) {
      let candidate = String(decoding: word.utf8.dropLast(inflected.utf8.count), as: UTF8.self) + base
      if synsets[candidate] != nil { return candidate }
    }
    return nil
  }

  private static func pairs(_ lines: [Substring]) -> some Sequence<(Substring, Substring)> {
    stride(from: 0, to: lines.count - lines.count % 2, by: 2).lazy.map { (lines[$0], lines[$0 + 1]) }
  }
}
