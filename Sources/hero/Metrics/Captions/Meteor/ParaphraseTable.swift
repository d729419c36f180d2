import Formats

/// The phrases and paraphrases whose words all occur in the captions to score.
///
/// METEOR's English table has five million entries. An entry with a word that no caption has can
/// match nothing.
struct ParaphraseTable {
  private struct Node {
    var next: [Int: Int] = [:]
    /// The paraphrases of the phrase that ends here.
    var paraphrases: [Int] = []
  }

  private var words: [Name: Int] = [:]
  private var nodes: [Node] = [Node()]
  private var paraphrases: [[Int]] = []

  /// Returns the number of a word, or -1 if no entry has it.
  func number(_ word: String) -> Int { words[word] ?? -1 }

  var count: Int { paraphrases.count }

  /// Appends an entry.
  mutating func add(phrase: [String], paraphrase: [String]) {
    let phrase = phrase.map { intern($0) }
    let paraphrase = paraphrase.map { intern($0) }
    var node = 0
    for word in phrase {
      if let known = nodes[node].next[word] {
        node = known
      } else {
        nodes.append(Node())
        nodes[node].next[word] = nodes.count - 1
        node = nodes.count - 1
      }
    }
    nodes[node].paraphrases.append(paraphrases.count)
    paraphrases.append(paraphrase)
  }

  /// Returns the paraphrases of the phrases that begin at a word, the shorter phrases first.
  func paraphrases(in sentence: [Int], from start: Int) -> [(phraseLength: Int, paraphrase: [Int])] {
    var found: [(phraseLength: Int, paraphrase: [Int])] = []
    var node = 0
    for position in start..<sentence.count {
      guard let next = nodes[node].next[sentence[position]] else { break }
      node = next
      found += nodes[node].paraphrases.map { (position - start + 1, paraphrases[$0]) }
    }
    return found
  }

  private mutating func intern(_ word: String) -> Int {
    if let known = words[word] { return known }
    words[word] = words.count
    return words.count - 1
  }
}
