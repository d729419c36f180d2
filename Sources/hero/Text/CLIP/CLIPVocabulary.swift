import Formats
import Foundation

/// The files that CLIP's vocabulary comes from: Hugging Face's `vocab.json` with `merges.txt`, its
/// `tokenizer.json`, or OpenAI's `bpe_simple_vocab_16e6.txt.gz`, which has the merges alone.
public enum CLIPVocabulary {
  static let start = "<|startoftext|>"
  static let end = "<|endoftext|>"
  /// The suffix of a word's last symbol.
  static let wordEnd = "</w>"
  /// The number of CLIP's merges: 49,408 tokens less 512 bytes and two special ones.
  ///
  /// OpenAI's file has more.
  private static let mostMerges = 48_894
  private static let mergeFiles = ["bpe_simple_vocab_16e6.txt.gz", "bpe_simple_vocab_16e6.txt"]
  private static let cure =
    "Give --clip-vocabulary bpe_simple_vocab_16e6.txt.gz of OpenAI's CLIP (or of open_clip), "
    + "or a folder with vocab.json and merges.txt as Hugging Face has it"

  /// Finds the vocabulary of some weights.
  /// - Parameters:
  ///   - option: the file or folder that the user named; nil to look beside the weights.
  ///   - weights: a file or folder of weights.
  /// - Returns: a file, or a folder.
  /// - Throws: `DataError` where none is there.
  public static func find(option: String?, weights: String) throws -> String {
    func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }
    if let option {
      guard exists(option) else { throw DataError("no such file or folder", file: option, cure: cure) }
      return option
    }
    let parent = (weights as NSString).deletingLastPathComponent
    let folder =
      FileManager.default.isFolder(weights) ? weights : parent.isEmpty ? "." : parent
    if TokenizerFiles.areIn(folder) { return folder }
    if let name = mergeFiles.first(where: { exists("\(folder)/\($0)") }) { return "\(folder)/\(name)" }
    throw DataError(
      "no vocabulary lies beside these weights, which cannot read words without theirs", file: weights,
      cure: cure)
  }

  /// Reads a vocabulary.
  /// - Parameter path: a folder, or one of the files.
  /// - Throws: `DataError` if there is no vocabulary, or it is damaged or another tokenizer's.
  static func files(_ path: String) throws -> TokenizerFiles {
    guard FileManager.default.isFolder(path) else {
      return path.hasSuffix(".json") ? try fast(path) : try merged(path)
    }
    func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: "\(path)/\(name)") }
    if exists("vocab.json"), exists("merges.txt") {
      return TokenizerFiles(
        paths: ["\(path)/vocab.json", "\(path)/merges.txt"],
        vocabulary: try TokenizerFiles.vocabulary(at: "\(path)/vocab.json"),
        merges: try TokenizerFiles.merges(at: "\(path)/merges.txt"))
    }
    if exists(TokenizerFiles.fastName) { return try fast("\(path)/\(TokenizerFiles.fastName)") }
    guard let name = mergeFiles.first(where: exists) else {
      throw DataError("holds no vocabulary of CLIP's", file: path, cure: cure)
    }
    return try merged("\(path)/\(name)")
  }

  /// Reads a file of merges alone, whose order gives the ids.
  ///
  /// First come the bytes in the order of their characters, then the bytes that end a word, then
  /// the results of merges, then the two special tokens.
  private static func merged(_ path: String) throws -> TokenizerFiles {
    let merges = try TokenizerFiles.merges(try text(path), of: path, most: mostMerges)
    let bytes = ByteAlphabet.scalars.sorted { $0.value < $1.value }.map { Array(String($0).utf8) }
    var vocabulary: [TokenizerFiles.Token: Int32] = [:]
    vocabulary.reserveCapacity(2 * bytes.count + merges.count + 2)
    let tokens =
      bytes + bytes.map { $0 + Array(wordEnd.utf8) } + merges.map { Array($0.first) + $0.second }
      + [start, end].map { Array($0.utf8) }
    for (id, token) in tokens.enumerated() {
      guard vocabulary.updateValue(Int32(truncatingIfNeeded: id), forKey: token) == nil else {
        throw DataError(
          "two merges make \"\(String(decoding: token, as: UTF8.self))\"", file: path, cure: cure)
      }
    }
    return TokenizerFiles(paths: [path], vocabulary: vocabulary, merges: merges)
  }

  /// Returns the lines of merges to read, decompressed if the file is a `.gz`.
  private static func text(_ path: String) throws -> [UInt8] {
    guard path.hasSuffix(".gz") else {
      return try FileBytes.read(path: path, limit: TokenizerFiles.mostBytes)
    }
    struct Enough: Error {}
    var (text, lines) = ([UInt8](), 0)
    do {
      try Gzip.forEachLine(path: path) { line in
        text += line
        text.append(0x0A)
        lines += 1
        if lines > mostMerges { throw Enough() }
      }
    } catch is Enough {}
    return text
  }

  private static func fast(_ path: String) throws -> TokenizerFiles {
    func refused(_ problem: String) -> DataError { DataError(problem, file: path, cure: cure) }
    let model = try JSON.read(path: path, limit: TokenizerFiles.mostBytes)["model"]
    guard let vocabulary = model?["vocab"]?.object, let merges = model?["merges"]?.array else {
      throw refused("has no \"vocab\" and \"merges\" in its \"model\"")
    }
    guard model?["end_of_word_suffix"]?.string == wordEnd else {
      throw refused("is not CLIP's: its words do not end with \"\(wordEnd)\"")
    }
    var ids: [TokenizerFiles.Token: Int32] = [:]
    ids.reserveCapacity(vocabulary.count)
    for (token, id) in vocabulary { try TokenizerFiles.add(token, id, to: &ids, path: path) }
    return TokenizerFiles(
      paths: [path], vocabulary: ids, merges: try TokenizerFiles.merges(merges) { throw refused($0) })
  }

  /// Returns the ids of the two special tokens.
  /// - Throws: `DataError` for another tokenizer's vocabulary.
  static func specials(_ files: TokenizerFiles) throws -> (start: Int32, end: Int32) {
    guard let first = files.vocabulary[Array(start.utf8)], let last = files.vocabulary[Array(end.utf8)],
      files.vocabulary[Array("a\(wordEnd)".utf8)] != nil
    else {
      throw DataError(
        "is not CLIP's vocabulary: it lacks \"\(start)\", \"\(end)\" or \"a\(wordEnd)\"",
        file: files.vocabularyPath, cure: cure)
    }
    return (first, last)
  }
}
