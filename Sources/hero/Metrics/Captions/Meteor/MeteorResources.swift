import Formats
import Foundation

/// METEOR 1.5's data for English: WordNet's synonyms, paraphrases, function words.
///
/// The folder is that of the METEOR 1.5 distribution, or `meteor` of the Python package
/// pycocoevalcap. It holds `data/paraphrase-en.gz`, and `meteor-1.5.jar` with the lists inside.
/// METEOR's source tree, with the lists under `resources`, serves as well.
public struct MeteorResources: Sendable {
  let synonyms: MeteorSynonyms
  let functionWords: Set<Name>
  let normalizer: MeteorNormalizer
  private let paraphraseFile: String

  /// Opens the folder. Paraphrases are read when captions are scored.
  ///
  /// - Throws: `DataError` with the name of the missing or damaged file.
  public init(folder: String) throws {
    let lists = try Lists(folder: folder)
    synonyms = MeteorSynonyms(
      synsets: try lists.lines("synonym/english.synsets"),
      exceptions: try lists.lines("synonym/english.exceptions"))
    functionWords = Set(try lists.lines("function/english.words").map { Name(String($0)) })
    normalizer = MeteorNormalizer(prefixes: try lists.lines("nonbreaking/english.prefixes"))
    let candidates = ["data/paraphrase-en.gz", "paraphrase-en.gz"].map { "\(folder)/\($0)" }
    guard let file = candidates.first(where: FileManager.default.fileExists) else {
      throw DataError(
        "the paraphrases, data/paraphrase-en.gz, are missing", file: folder, cure: Self.cure)
    }
    paraphraseFile = file
  }

  private static let cure =
    "Give the folder of METEOR 1.5, or the folder meteor of the Python package pycocoevalcap, which has its data"

  /// Returns the paraphrases that can match in captions of these words.
  ///
  /// The file has five million entries of three lines: a probability, a phrase, a paraphrase.
  func paraphrases(among words: Set<Name>) throws -> ParaphraseTable {
    let vocabulary = ByteVocabulary(words)
    var table = ParaphraseTable()
    var phrase: [String]?
    var line = 0
    try Gzip.forEachLine(path: paraphraseFile) { bytes in
      defer { line += 1 }
      switch line % 3 {
      case 1: phrase = vocabulary.words(of: bytes)
      case 2:
        guard let known = phrase, let paraphrase = vocabulary.words(of: bytes) else { return }
        table.add(phrase: known, paraphrase: paraphrase)
      default: return
      }
    }
    guard line % 3 == 0, line > 0 else {
      throw DataError(
        "does not consist of entries of three lines", file: paraphraseFile, place: "line \(line)",
        cure: Self.cure)
    }
    return table
  }

  /// The lists of the distribution, in its jar or unpacked.
  private struct Lists {
    let folder: String
    let archive: ZipReader?

    init(folder: String) throws {
      self.folder = folder
      let names: [String]
      do {
        names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
      } catch {
        throw DataError("cannot be read as a folder", file: folder, cure: MeteorResources.cure)
      }
      let jar = names.first { $0.hasPrefix("meteor") && $0.hasSuffix(".jar") }
      archive = try jar.map { try ZipReader(path: "\(folder)/\($0)") }
    }

    /// Returns the lines, each a copy: a search in slices takes quadratic time if they hold flag
    /// emoji.
    func lines(_ name: String) throws -> [Substring] {
      let text = String(decoding: try bytes(name), as: UTF8.self)
      return text.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }.dropLast(
        text.hasSuffix("\n") ? 1 : 0
      ).map { Substring(String($0)) }
    }

    private func bytes(_ name: String) throws -> [UInt8] {
      if let archive, let entry = archive.entries.first(where: { $0.name == name }) {
        return try archive.read(entry)
      }
      for place in [name, "resources/\(name)"] {
        let path = "\(folder)/\(place)"
        if FileManager.default.fileExists(atPath: path) { return try FileBytes.read(path: path) }
      }
      throw DataError(
        "the list \(name) is neither in a meteor jar here nor unpacked", file: folder,
        cure: MeteorResources.cure)
    }
  }
}
