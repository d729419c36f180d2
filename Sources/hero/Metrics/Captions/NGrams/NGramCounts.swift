/// The number of times that each sequence of one to four tokens occurs in a sentence.
///
/// A shared `NGramIndex` numbers the sequences. They are in the order of their first occurrence, so
/// sums over them are the same in every run.
struct NGramCounts {
  static let longest = 4

  struct Entry {
    /// The sequence's number in the index.
    var id: Int
    /// The length of the sequence minus one.
    var order: Int
    var count: Int
  }

  private(set) var entries: [Entry] = []
  private(set) var places: [Int: Int] = [:]
  /// The number of tokens in the sentence.
  let tokens: Int

  init(_ sentence: [Substring], index: NGramIndex) {
    let words = sentence.map { index.word($0) }
    tokens = words.count
    for length in 1...Self.longest where length <= words.count {
      for start in 0...(words.count - length) {
        add(index.sequence(words[start..<(start + length)]), order: length - 1)
      }
    }
  }

  /// Returns how often a sequence occurs here.
  func count(of id: Int) -> Int {
    places[id].map { entries[$0].count } ?? 0
  }

  private mutating func add(_ id: Int, order: Int) {
    if let place = places[id] {
      entries[place].count += 1
    } else {
      places[id] = entries.count
      entries.append(Entry(id: id, order: order, count: 1))
    }
  }
}

/// The numbers of words and of sequences of words, in the order of their first occurrence.
final class NGramIndex {
  private var words: [[UInt8]: Int] = [:]
  private var sequences: [[Int]: Int] = [:]

  /// The number of sequences.
  var count: Int { sequences.count }

  func word(_ word: Substring) -> Int {
    let word = Array(word.utf8)
    if let known = words[word] { return known }
    words[word] = words.count
    return words.count - 1
  }

  func sequence(_ words: ArraySlice<Int>) -> Int {
    let key = Array(words)
    if let known = sequences[key] { return known }
    sequences[key] = sequences.count
    return sequences.count - 1
  }
}

/// One clip's prediction and references, tokenized and counted.
struct CountedClip {
  var prediction: NGramCounts
  var references: [NGramCounts]
}

/// Returns the words of a tokenized caption, split at any white space as by Python's `split()`.
func words(of tokens: String) -> [Substring] {
  tokens.unicodeScalars
    .split { $0.properties.isWhitespace || ("\u{1C}"..."\u{1F}").contains($0) }
    .map { Substring($0) }
}
