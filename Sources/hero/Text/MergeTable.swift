import Formats
import Foundation

/// The merges of a byte-pair encoding, in order of rank, over symbols that are numbered here.
///
/// Symbols 0 to 255 are the bytes.
struct MergeTable: Sendable {
  private struct Merge {
    var rank: Int32
    var symbol: Int32
  }

  /// The spelling of each symbol in the byte alphabet.
  private(set) var spellings: [String]
  private var merges: [UInt64: Merge] = [:]
  private static let unranked = Int32.max

  /// Reads `merges.txt`: a version line, then a pair on each line.
  ///
  /// What follows the last line feed is left out, as in transformers 2.0.0.
  /// - Throws: `DataError` naming the line that is not a pair.
  init(path: String) throws(DataError) {
    let text = try TokenizerFiles.text(at: path)
    spellings = ByteAlphabet.scalars.map { String($0) }
    var symbols = Dictionary(uniqueKeysWithValues: zip(spellings, Int32(0)...))
    func intern(_ spelling: String, _ spellings: inout [String]) -> Int32 {
      if let known = symbols[spelling] { return known }
      let symbol = Int32(truncatingIfNeeded: spellings.count)
      symbols[spelling] = symbol
      spellings.append(spelling)
      return symbol
    }
    let lines = text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    for (index, line) in lines.enumerated().dropFirst().dropLast() {
      let pair = Substring(line).unicodeScalars.split { $0 == " " || $0 == "\t" || $0 == "\r" }
      if pair.isEmpty { continue }
      guard pair.count == 2 else {
        throw DataError(
          "expected two symbols with a space between them, found \(pair.count)", file: path,
          place: "line \(index + 1)", cure: "Take merges.txt from the same tokenizer as vocab.json")
      }
      let first = intern(String(pair[0]), &spellings)
      let second = intern(String(pair[1]), &spellings)
      let joined = intern(String(pair[0]) + String(pair[1]), &spellings)
      merges[Self.key(first, second)] = Merge(rank: Int32(truncatingIfNeeded: index), symbol: joined)
    }
    guard !merges.isEmpty else {
      throw DataError(
        "no merges in it", file: path, cure: "Take the merges.txt of a byte-level BPE tokenizer")
    }
  }

  private static func key(_ first: Int32, _ second: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: first)) << 32 | UInt64(UInt32(bitPattern: second))
  }

  private func rank(_ first: Int32, _ second: Int32) -> Int32 {
    merges[Self.key(first, second)]?.rank ?? Self.unranked
  }

  /// The symbols of a word: of the pairs side by side the one of lowest rank is merged wherever it occurs, from
  /// left to right, until no pair has a rank.
  func symbols(of word: UnsafeBufferPointer<UInt8>) -> [Int32] {
    var symbols = word.map { Int32($0) }
    guard symbols.count > 1 else { return symbols }
    // ranks[i] is that of the pair (i, i + 1).
    var ranks = (1..<symbols.count).map { rank(symbols[$0 - 1], symbols[$0]) }
    while let best = ranks.min(), best != Self.unranked, let place = ranks.firstIndex(of: best),
      let merge = merges[Self.key(symbols[place], symbols[place + 1])]
    {
      apply(merge, joining: (symbols[place], symbols[place + 1]), from: place, to: &symbols, ranks: &ranks)
    }
    return symbols
  }

  private func apply(
    _ merge: Merge, joining pair: (Int32, Int32), from place: Int, to symbols: inout [Int32],
    ranks: inout [Int32]
  ) {
    var write = place
    var read = place
    var previousIsNew = false
    while read < symbols.count {
      let isPair = read + 1 < symbols.count && symbols[read] == pair.0 && symbols[read + 1] == pair.1
      let isNew = isPair
      let oldRank = read > 0 ? ranks[read - 1] : Self.unranked
      symbols[write] = isPair ? merge.symbol : symbols[read]
      if write > 0 {
        ranks[write - 1] =
          isNew || previousIsNew ? rank(symbols[write - 1], symbols[write]) : oldRank
      }
      previousIsNew = isNew
      write += 1
      read += isPair ? 2 : 1
    }
    symbols.removeLast(symbols.count - write)
    ranks.removeLast(ranks.count - (write - 1))
  }
}
