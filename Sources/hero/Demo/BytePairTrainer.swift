import Text

/// A trainer of a byte-level BPE tokenizer's merges (Sennrich et al. 2016; GPT-2's byte alphabet).
struct BytePairTrainer {
  /// The two symbols that a merge joins, in the byte alphabet's characters.
  struct Merge: Equatable, Sendable {
    let left: String
    let right: String
  }

  private struct Pair: Hashable {
    let left: Int
    let right: Int
  }

  /// The text of each symbol, by number: first the bytes, then the merges.
  private var spellings = ByteAlphabet.scalars.map { String($0) }
  /// The distinct words as symbols, and how often each occurs.
  private var words: [(symbols: [Int], count: Int)]

  /// Merges the most frequent pair again and again, the first in order among equals.
  ///
  /// Stops when no pair occurs twice or `limit` is reached.
  static func merges(from texts: [String], limit: Int) -> [Merge] {
    var trainer = BytePairTrainer(texts)
    var merges: [Merge] = []
    while merges.count < limit, let best = trainer.mostFrequentPair() {
      merges.append(Merge(left: trainer.spellings[best.left], right: trainer.spellings[best.right]))
      trainer.join(best)
    }
    return merges
  }

  private init(_ texts: [String]) {
    // The texts have no runs of spaces, so a word holds a space only as its first byte, and a text
    // can be cut before each space.
    var chunks: [Substring: Int] = [:]
    for text in texts {
      for chunk in Self.chunks(of: text) { chunks[chunk, default: 0] += 1 }
    }
    var counts: [[Int]: Int] = [:]
    for (chunk, count) in chunks {
      for word in ByteAlphabet.words(in: chunk) { counts[word, default: 0] += count }
    }
    // A fixed order makes the result independent of the dictionary's layout.
    words = counts.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map {
      (symbols: $0.key, count: $0.value)
    }
  }

  /// Cuts a text before each space, without the white space at its start.
  private static func chunks(of text: String) -> [Substring] {
    let trimmed = text.drop { $0.isWhitespace }
    var chunks: [Substring] = []
    var start = trimmed.startIndex
    while start < trimmed.endIndex {
      let end = trimmed[trimmed.index(after: start)...].firstIndex(of: " ") ?? trimmed.endIndex
      chunks.append(trimmed[start..<end])
      start = end
    }
    return chunks
  }

  private func mostFrequentPair() -> Pair? {
    var counts: [Pair: Int] = [:]
    for word in words {
      for (left, right) in zip(word.symbols, word.symbols.dropFirst()) {
        counts[Pair(left: left, right: right), default: 0] += word.count
      }
    }
    let best = counts.max { ($0.value, $1.key.left, $1.key.right) < ($1.value, $0.key.left, $0.key.right) }
    return best.flatMap { $0.value > 1 ? $0.key : nil }
  }

  private mutating func join(_ pair: Pair) {
    let merged = spellings.count
    spellings.append(spellings[pair.left] + spellings[pair.right])
    for index in words.indices {
      let symbols = words[index].symbols
      var result: [Int] = []
      var place = 0
      while place < symbols.count {
        if place + 1 < symbols.count, symbols[place] == pair.left, symbols[place + 1] == pair.right {
          result.append(merged)
          place += 2
        } else {
          result.append(symbols[place])
          place += 1
        }
      }
      words[index].symbols = result
    }
  }
}

extension ByteAlphabet {
  /// Cuts a text into words as GPT-2 does; returns their bytes, each word with the space before it.
  static func words(in text: Substring) -> [[Int]] {
    let word = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/
    return text.matches(of: word).map { $0.output.utf8.map { Int($0) } }
  }
}
