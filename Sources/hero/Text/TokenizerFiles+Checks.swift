import Formats

/// The ids of the tokens that HERO knows by name.
struct SpecialIDs {
  /// The special tokens that a text may contain.
  static let names = ["<s>", "</s>", "<unk>", "<pad>", "<mask>"]

  /// The tokens that a vocabulary must have.
  static let needed = Set((names + [".", "<|endoftext|>"]).map { Name($0) })

  let bos, eos, pad, unk, mask: Int32
  /// The ids of `.` … `<|endoftext|>`.
  let range: Range<Int32>

  /// - Throws: `DataError` naming the tokens that the vocabulary lacks, and whose it seems to be.
  init(_ files: TokenizerFiles) throws(DataError) {
    let path = files.vocabularyPath
    func known(_ token: String) -> Int32? { files.vocabulary[Array(token.utf8)] }
    let missing = (Self.names + [".", "<|endoftext|>"]).filter { known($0) == nil }
    guard missing.isEmpty, let bos = known("<s>"), let eos = known("</s>"), let pad = known("<pad>"),
      let unk = known("<unk>"), let mask = known("<mask>"), let first = known("."),
      let last = known("<|endoftext|>")
    else {
      let whose =
        known("[CLS]") != nil
        ? "; it has \"[CLS]\" and is BERT's"
        : missing.contains("<s>") && known("<|endoftext|>") != nil
          ? "; it has \"<|endoftext|>\" and is GPT-2's" : ""
      throw DataError(
        "no token \(missing.map { "\"\($0)\"" }.joined(separator: ", "))\(whose)", file: path,
        cure: "Take the vocab.json of a RoBERTa tokenizer, with its merges.txt")
    }
    guard first <= last else {
      throw DataError(
        "\".\" has a larger id (\(first)) than \"<|endoftext|>\" (\(last))", file: path,
        cure: "Take the vocab.json of a RoBERTa tokenizer, with its merges.txt")
    }
    (self.bos, self.eos, self.pad, self.unk, self.mask) = (bos, eos, pad, unk, mask)
    range = first..<last + 1
  }
}

/// Checks that vocabulary and merges belong together.
extension TokenizerFiles {
  private var togetherCure: String { "Take both files from the same tokenizer" }

  private static func text(_ token: some Sequence<UInt8>) -> String {
    String(decoding: Array(token), as: UTF8.self)
  }

  /// Returns the id of each symbol of the merges.
  ///
  /// Byte-level BPE has tokens for every text. So every byte of UTF-8 and every result of a merge
  /// must have an id. Every token must be a byte, a result or a special one: `<…>`, `[…]`,
  /// `madeupword0000`.
  /// - Throws: `DataError` naming both files and the first symbol or token that fails.
  func ids(of table: MergeTable) throws(DataError) -> [Int32] {
    var ids: [Int32] = []
    ids.reserveCapacity(table.spellings.count)
    for (symbol, spelling) in table.spellings.enumerated() {
      guard let id = vocabulary[spelling] else {
        // 0xC0, 0xC1 and 0xF5 … 0xFF are in no UTF-8: such a symbol never occurs.
        if symbol == 0xC0 || symbol == 0xC1 || (0xF5...0xFF).contains(symbol) {
          ids.append(0)
          continue
        }
        throw DataError(
          "no token \"\(Self.text(spelling))\", which "
            + (symbol < table.bytes
              ? "stands for the byte \(symbol % 256): such a text would have no token"
              : "a merge of \(mergesPath) \(use(of: spelling))"),
          file: vocabularyPath, cure: togetherCure)
      }
      ids.append(id)
    }
    try requireMakers(table)
    return ids
  }

  /// Returns how the merges use a token, and where.
  private func use(of token: Token) -> String {
    for merge in merges {
      if Array(merge.first) + merge.second == token { return "makes (\(merge.place))" }
      if merge.first == token[...] || merge.second == token[...] { return "joins (\(merge.place))" }
    }
    return "has"
  }

  /// Checks that every token is a byte, the result of a merge or a special one.
  /// - Throws: `DataError` for another token, as when the merges are cut short.
  private func requireMakers(_ table: MergeTable) throws(DataError) {
    var made = Set<Token>(minimumCapacity: table.spellings.count)
    for (symbol, spelling) in table.spellings.enumerated()
    where symbol < table.bytes || table.makers[symbol] != nil {
      made.insert(spelling)
    }
    // A vocabulary with just one id for each of them has no others but special tokens.
    guard vocabulary.count > made.count else { return }
    let unmade = vocabulary.keys.filter { !made.contains($0) && !Self.isSpecial($0) }
    guard let first = unmade.min(by: { (vocabulary[$0] ?? 0) < (vocabulary[$1] ?? 0) }) else { return }
    throw DataError(
      "no merge makes the token \"\(Self.text(first))\" of \(vocabularyPath)"
        + (unmade.count > 1 ? ", nor \(unmade.count - 1) others" : "") + ": merges are missing",
      file: mergesPath, cure: togetherCure)
  }

  private static func isSpecial(_ token: Token) -> Bool {
    guard let first = token.first, let last = token.last else { return true }
    return (first == UInt8(ascii: "<") && last == UInt8(ascii: ">"))
      || (first == UInt8(ascii: "[") && last == UInt8(ascii: "]"))
      || token.starts(with: Array("madeupword".utf8))
  }

  /// Returns the token of each id; ids without a token may lie between.
  /// - Throws: `DataError` if two tokens have one id.
  func tokens() throws(DataError) -> [Int32: String] {
    var tokens: [Int32: String] = [:]
    tokens.reserveCapacity(vocabulary.count)
    for (token, id) in vocabulary {
      if let other = tokens.updateValue(Self.text(token), forKey: id) {
        let both = [other, Self.text(token)].sorted().map { "\"\($0)\"" }.joined(separator: " and ")
        throw DataError(
          "\(both) have one id, \(id)", file: vocabularyPath,
          cure: "Take the file from the tokenizer's release again")
      }
    }
    return tokens
  }
}

/// Checks that a `tokenizer.json` beside vocabulary and merges says the same.
extension TokenizerFiles {
  /// Refuses another tokenizer's `tokenizer.json`, since other programs prefer that file.
  ///
  /// Reports one that cannot be read, and skips it.
  func requireSame(as path: String) throws {
    let other: TokenizerFiles
    do { other = try TokenizerFiles(fast: path) } catch let error as DataError {
      return Notice.tell("\(error.sentence). It is left out: \(vocabularyPath) and \(mergesPath) count")
    }
    func refused(_ problem: String, _ place: String) -> DataError {
      DataError(problem, file: path, place: place, cure: "Keep the files of one tokenizer in a folder")
    }
    let differing = other.vocabulary.filter { token, id in vocabulary[token].map { $0 != id } ?? false }
    if let (token, id) = differing.min(by: { $0.value < $1.value }) {
      throw refused(
        "the id is \(id), and \(vocabulary[token] ?? 0) in \(vocabularyPath)"
          + (differing.count > 1 ? "; \(differing.count - 1) other ids differ too" : ""),
        "token \"\(Self.text(token))\"")
    }
    let same = zip(merges, other.merges).prefix { $0.first == $1.first && $0.second == $1.second }.count
    guard same < max(merges.count, other.merges.count) else { return }
    func shown(_ list: [Merge]) -> String {
      same < list.count ? "\"\(Self.text(list[same].first)) \(Self.text(list[same].second))\"" : "not there"
    }
    throw refused("is \(shown(other.merges)), and \(shown(merges)) in \(mergesPath)", "merge \(same)")
  }
}
