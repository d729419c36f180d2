import Formats
import Foundation

/// A byte-level BPE tokenizer as its files hold it: `vocab.json` with `merges.txt`, or a fast
/// tokenizer's `tokenizer.json`, which has both.
public struct TokenizerFiles {
  /// A token's spelling in the byte alphabet, as UTF-8; equal tokens have equal bytes.
  typealias Token = [UInt8]

  /// Two tokens that merge into one, and their place in the file.
  struct Merge {
    var first: ArraySlice<UInt8>
    var second: ArraySlice<UInt8>
    var place: String
  }

  /// The files that were read.
  let paths: [String]
  /// The file of the vocabulary.
  var vocabularyPath: String { paths[0] }
  /// The file of the merges.
  var mergesPath: String { paths[paths.count - 1] }
  let vocabulary: [Token: Int32]
  /// The merges in order of rank.
  let merges: [Merge]

  static let fastName = "tokenizer.json"
  private static let cure =
    "A tokenizer folder holds vocab.json and merges.txt, as roberta-base has them, or a tokenizer.json"
  /// The most bytes of a file; RoBERTa's have a megabyte.
  static let mostBytes = 256 << 20

  /// Returns whether a folder has the files of such a tokenizer.
  public static func areIn(_ folder: String) -> Bool {
    func has(_ name: String) -> Bool { FileManager.default.fileExists(atPath: "\(folder)/\(name)") }
    return (has("vocab.json") && has("merges.txt")) || has(fastName)
  }

  /// Reads the files of a folder: `vocab.json` and `merges.txt` if it has both, else
  /// `tokenizer.json`.
  /// - Throws: `DataError` if a file is missing, malformed or of another kind of tokenizer, or if a
  ///   `tokenizer.json` beside the two files contradicts them.
  init(folder: String) throws {
    let (vocabulary, merges) = ("\(folder)/vocab.json", "\(folder)/merges.txt")
    func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }
    if exists(vocabulary), exists(merges) {
      var ids = try Self.vocabulary(at: vocabulary)
      // The reference's and Hugging Face's slow tokenizers write this file, {token: id}.
      let added = "\(folder)/added_tokens.json"
      if exists(added) {
        var tokens: [(String, JSON)] = []
        try JSON.readMembers(path: added, limit: Self.mostBytes) { tokens.append(($0, $1)) }
        try Self.add(added: tokens, to: &ids, path: added)
      }
      self.init(paths: [vocabulary, merges], vocabulary: ids, merges: try Self.merges(at: merges))
      let fast = "\(folder)/\(Self.fastName)"
      if exists(fast) { try requireSame(as: fast) }
    } else if exists("\(folder)/\(Self.fastName)") {
      try self.init(fast: "\(folder)/\(Self.fastName)")
    } else if !FileManager.default.isFolder(folder), exists(folder) {
      guard folder.hasSuffix(".json"), !folder.hasSuffix("vocab.json") else {
        throw DataError(
          "is a file, not a tokenizer's folder", file: folder,
          cure: "Give the folder that it lies in: \((folder as NSString).deletingLastPathComponent)")
      }
      try self.init(fast: folder)
    } else {
      throw Self.missing(exists(vocabulary) ? merges : vocabulary, in: folder)
    }
  }

  init(paths: [String], vocabulary: [Token: Int32], merges: [Merge]) {
    (self.paths, self.vocabulary, self.merges) = (paths, vocabulary, merges)
  }

  /// Returns the error for a folder without the files, naming what it has instead.
  private static func missing(_ path: String, in folder: String) -> DataError {
    let others = [
      ("vocab.txt", "WordPiece, BERT's"), ("sentencepiece.bpe.model", "SentencePiece, XLM-RoBERTa's"),
      ("spiece.model", "SentencePiece"), ("tokenizer.model", "SentencePiece"),
    ]
    for (name, kind) in others where FileManager.default.fileExists(atPath: "\(folder)/\(name)") {
      return DataError(
        "is a vocabulary of another kind (\(kind)); HERO's models read the byte-level BPE of RoBERTa",
        file: "\(folder)/\(name)",
        cure: "Give RoBERTa's: a folder with vocab.json and merges.txt, or with tokenizer.json")
    }
    return DataError("no such file", file: path, cure: cure)
  }

  // MARK: vocab.json and merges.txt

  /// Reads `vocab.json`: token to id.
  static func vocabulary(at path: String) throws -> [Token: Int32] {
    var vocabulary: [Token: Int32] = [:]
    vocabulary.reserveCapacity(1 << 16)
    try JSON.readMembers(path: path, limit: mostBytes) { token, id in
      try add(token, id, to: &vocabulary, path: path)
    }
    return vocabulary
  }

  /// Adds a token, which may already be there with the same id.
  static func add(
    _ token: String, _ value: JSON, to vocabulary: inout [Token: Int32], path: String
  ) throws {
    guard let id = value.int, let id = Int32(exactly: id), id >= 0, id < Int32.max else {
      throw DataError(
        "the id is \(value.shown), not a whole number from 0 up that fits 32 bits", file: path,
        place: "token \"\(token)\"",
        cure: "Take the file from the tokenizer's release again")
    }
    let before = vocabulary.updateValue(id, forKey: Array(token.utf8))
    if let before, before != id {
      throw DataError(
        "it has two ids, \(before) and \(id)", file: path, place: "token \"\(token)\"",
        cure: "Take the file from the tokenizer's release again")
    }
  }

  /// Adds the tokens that a file lists beside the vocabulary, if HERO knows them by name.
  ///
  /// Reports the other tokens: texts that contain them are read like any text.
  private static func add(
    added tokens: [(token: String, id: JSON)], to vocabulary: inout [Token: Int32], path: String
  ) throws {
    var others: [String] = []
    for (token, id) in tokens {
      if vocabulary[Array(token.utf8)] == nil, !SpecialIDs.needed.contains(Name(token)) {
        others.append(token)
      } else {
        try add(token, id, to: &vocabulary, path: path)
      }
    }
    guard let first = others.first else { return }
    Notice.tell(
      "\(path): \(others.count == 1 ? "1 added token is" : "\(others.count) added tokens are") left out, "
        + "the first \"\(first.prefix(80))\": HERO's models know none but RoBERTa's. "
        + "Texts with \(others.count == 1 ? "it" : "them") are read as any other")
  }

  /// Reads `merges.txt`: one pair a line, after an optional line with the version.
  ///
  /// A line ends with a line feed, a carriage return or both; the last may have no end.
  static func merges(at path: String) throws -> [Merge] {
    try merges(try TextFile.read(path: path, limit: mostBytes), of: path)
  }

  /// Reads merges from a file's bytes.
  /// - Parameter most: the number of merges after which reading stops.
  static func merges(_ bytes: [UInt8], of path: String, most: Int = .max) throws -> [Merge] {
    guard String(validating: bytes, as: UTF8.self) != nil else {
      throw DataError("not UTF-8", file: path, cure: "Take it from the tokenizer's release again")
    }
    var merges: [Merge] = []
    var rest = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes[3...] : bytes[...]
    var number = 0
    while !rest.isEmpty, merges.count < most {
      number += 1
      let line = rest.prefix { $0 != 0x0A && $0 != 0x0D }
      rest = rest[line.endIndex...]
      if rest.starts(with: [0x0D, 0x0A]) { rest = rest.dropFirst() }
      rest = rest.dropFirst()
      if number == 1, ["#version", "\"bpe_simple"].contains(where: { line.starts(with: $0.utf8) }) {
        continue
      }
      let pair = line.split { $0 == 0x20 || $0 == 0x09 }
      if pair.isEmpty { continue }
      guard pair.count == 2 else {
        throw DataError(
          "expected two symbols with a space between them, found \(pair.count)", file: path,
          place: "line \(number)", cure: "Take merges.txt from the same tokenizer as vocab.json")
      }
      merges.append(Merge(first: pair[0], second: pair[1], place: "line \(number)"))
    }
    return merges
  }

  // MARK: tokenizer.json

  /// Reads a fast tokenizer of Hugging Face's `tokenizers`: the model's `vocab` and `merges`, and
  /// `added_tokens`.
  init(fast path: String) throws {
    func refused(_ problem: String, _ place: String) -> DataError {
      DataError(
        problem, file: path, place: place,
        cure: "Give RoBERTa's tokenizer: its tokenizer.json, or vocab.json and merges.txt")
    }
    let json = try JSON.read(path: path, limit: Self.mostBytes)
    guard let model = json["model"] else { throw refused("no such key", "\"model\"") }
    if let type = model["type"]?.string, type != "BPE" {
      throw refused("is a tokenizer of the kind \(type), not byte-level BPE", "\"model\"")
    }
    if let normalizer = json["normalizer"]?.object, !normalizer.isEmpty {
      throw refused(
        "changes texts (\(normalizer["type"]?.string ?? "?")), which RoBERTa's tokenizer does not",
        "\"normalizer\"")
    }
    if let change = Self.otherParting(json, model) {
      throw refused("parts texts in another way than RoBERTa's tokenizer (\(change.what))", change.key)
    }
    guard let vocabulary = model["vocab"]?.object, let merges = model["merges"]?.array else {
      throw refused("no \"vocab\" and \"merges\" in it", "\"model\"")
    }
    var ids: [Token: Int32] = [:]
    ids.reserveCapacity(vocabulary.count)
    for (token, id) in vocabulary { try Self.add(token, id, to: &ids, path: path) }
    let added = (json["added_tokens"]?.array ?? []).compactMap { added in
      added["content"]?.string.flatMap { token in added["id"].map { (token, $0) } }
    }
    try Self.add(added: added, to: &ids, path: path)
    self.paths = [path]
    self.vocabulary = ids
    self.merges = try Self.merges(merges) { throw refused($0, "\"merges\"") }
  }

  /// Returns the setting that makes a fast tokenizer split texts otherwise than RoBERTa's; nil if
  /// none does.
  private static func otherParting(_ json: JSON, _ model: JSON) -> (what: String, key: String)? {
    for key in ["continuing_subword_prefix", "end_of_word_suffix"] {
      if let mark = model[key]?.string, !mark.isEmpty { return ("\(key) \"\(mark)\"", "\"model\"") }
    }
    if model["ignore_merges"]?.bool == true { return ("ignore_merges", "\"model\"") }
    guard var parting = json["pre_tokenizer"], !parting.isNull else { return nil }
    if let parts = parting["pretokenizers"]?.array, parts.count == 1 { parting = parts[0] }
    if parting["type"]?.string == "ByteLevel", parting["use_regex"]?.bool != false { return nil }
    return (parting["type"]?.string ?? parting.shown, "\"pre_tokenizer\"")
  }

  /// Reads the merges of a fast tokenizer.
  /// - Parameter refuse: throws for an entry that is no merge.
  static func merges(_ list: [JSON], refuse: (String) throws -> Never) throws -> [Merge] {
    try list.enumerated().map { number, merge in
      // Older files have "a b", newer ones ["a", "b"].
      let parts =
        merge.array?.compactMap { $0.string.map { Array($0.utf8)[...] } }
        ?? merge.string.map { Array($0.utf8).split(separator: 0x20) } ?? []
      guard parts.count == 2 else { try refuse("merge \(number) is not a pair of tokens") }
      return Merge(first: parts[0], second: parts[1], place: "merge \(number)")
    }
  }
}
