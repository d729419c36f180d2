import Formats

/// The merges of a byte-pair encoding, in order of rank, over symbols that are numbered here.
///
/// Symbols 0 to 255 are the bytes. If the encoding marks the ends of words, 256 to 511 are the
/// bytes that end a word.
struct MergeTable: Sendable {
  struct Merge {
    var rank: Int32
    var symbol: Int32
  }

  /// The spelling of each symbol in the byte alphabet, as UTF-8.
  private(set) var spellings: [TokenizerFiles.Token]
  /// The rank of the merge that first makes each symbol; nil for bytes and symbols that no merge
  /// makes.
  private(set) var makers: [Int32?]
  private var merges: [UInt64: Merge] = [:]
  private let marksEnds: Bool
  /// The number of symbols that stand for bytes.
  var bytes: Int { marksEnds ? 512 : 256 }
  static let unranked = Int32.max

  /// - Parameters:
  ///   - files: the files with the merges.
  ///   - wordEnd: the suffix of a word's last symbol, such as CLIP's `</w>`; empty for none.
  /// - Throws: `DataError` if there is no merge or the same pair merges twice.
  init(_ files: TokenizerFiles, wordEnd: String = "") throws(DataError) {
    marksEnds = !wordEnd.isEmpty
    spellings = ByteAlphabet.scalars.map { Array(String($0).utf8) }
    if marksEnds { spellings += spellings.map { $0 + Array(wordEnd.utf8) } }
    makers = Array(repeating: nil, count: spellings.count)
    var symbols = Dictionary(uniqueKeysWithValues: zip(spellings, Int32(0)...))
    merges.reserveCapacity(files.merges.count)
    symbols.reserveCapacity(files.merges.count + spellings.count)
    func intern(_ spelling: [UInt8], _ spellings: inout [[UInt8]], _ makers: inout [Int32?]) -> Int32 {
      if let known = symbols[spelling] { return known }
      let symbol = Int32(truncatingIfNeeded: spellings.count)
      symbols[spelling] = symbol
      spellings.append(spelling)
      makers.append(nil)
      return symbol
    }
    for (index, merge) in files.merges.enumerated() {
      let rank = Int32(truncatingIfNeeded: index)
      let first = intern(Array(merge.first), &spellings, &makers)
      let second = intern(Array(merge.second), &spellings, &makers)
      let joined = intern(Array(merge.first) + merge.second, &spellings, &makers)
      let before = merges.updateValue(Merge(rank: rank, symbol: joined), forKey: Self.key(first, second))
      guard before == nil else {
        throw DataError(
          "two symbols are merged twice, first at number \((before?.rank ?? 0) + 1): \""
            + String(decoding: Array(merge.first) + [0x20] + merge.second, as: UTF8.self) + "\"",
          file: files.mergesPath, place: merge.place,
          cure: "Take the merges from the tokenizer's release again")
      }
      if makers[Int(joined)] == nil { makers[Int(joined)] = rank }
    }
    guard !merges.isEmpty else {
      throw DataError(
        "no merges in it", file: files.mergesPath, cure: "Take the merges of a byte-level BPE tokenizer")
    }
  }

  private static func key(_ first: Int32, _ second: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: first)) << 32 | UInt64(UInt32(bitPattern: second))
  }

  /// Returns the merge of two adjacent symbols, if there is one.
  func merge(_ first: Int32, _ second: Int32) -> Merge? { merges[Self.key(first, second)] }

  private func rank(_ first: Int32, _ second: Int32) -> Int32 {
    merge(first, second)?.rank ?? Self.unranked
  }

  /// The most bytes of a word that is scanned again for each merge.
  private static let shortWord = 128

  /// Returns the symbols of a word.
  ///
  /// Of all adjacent pairs, the one of lowest rank merges wherever it occurs, from left to right.
  /// This repeats until no pair has a rank.
  func symbols(of word: UnsafeBufferPointer<UInt8>) -> [Int32] {
    var symbols = word.map { Int32($0) }
    if marksEnds, let last = symbols.indices.last { symbols[last] += 256 }
    guard word.count <= Self.shortWord else {
      var long = LongWord(symbols, merges: self)
      return long.symbols()
    }
    guard symbols.count > 1 else { return symbols }
    // ranks[i] is the rank of the pair (i, i + 1).
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
