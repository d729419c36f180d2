import Formats

/// CLIP's byte-level BPE (Radford et al., ICML 2021), with the ids of open_clip's
/// `SimpleTokenizer`.
///
/// OpenAI's own gives the same ids but spells special tokens in a text otherwise. `CLIPText` cleans
/// and lower-cases a text, which is split into words. The merges split each word into symbols, of
/// which the last carries the word's end. Threads may share a tokenizer.
public final class CLIPTokenizer: Sendable {
  /// The ids that begin and end every text: `<|startoftext|>` and `<|endoftext|>` of the
  /// vocabulary.
  public let start, end: Int32
  /// One more than the largest id.
  public let vocabularySize: Int
  /// A hash of all merges and ids, the same whichever files they come from.
  public let identity: String
  private let merges: MergeTable
  /// The id of each symbol of `merges`.
  private let symbolIDs: [Int32]

  /// - Parameter path: a folder with `vocab.json` and `merges.txt`, with `tokenizer.json` or with
  ///   OpenAI's `bpe_simple_vocab_16e6.txt.gz`; or one of the last two files.
  /// - Throws: `DataError` if it is missing, damaged or another tokenizer's.
  public init(path: String) throws {
    let parts = try CLIPVocabulary.files(path)
    (start, end) = try CLIPVocabulary.specials(parts)
    merges = try MergeTable(parts, wordEnd: CLIPVocabulary.wordEnd)
    symbolIDs = try parts.ids(of: merges)
    vocabularySize = Int(parts.vocabulary.values.max() ?? -1) + 1
    var hash = ContentHash()
    for merge in parts.merges { hash.update(Array(merge.first) + [0x20] + merge.second + [0x0A]) }
    for id in symbolIDs + [start, end] { hash.update(id.littleEndianBytes) }
    identity = hash.text
  }

  /// Returns a text's ids between the two special tokens, however many there are.
  public func encode(_ text: String) -> [Int32] {
    var text = CLIPText.cleaned(text)
    return text.withUTF8 { bytes in
      var ids = [start]
      var place = 0
      while place < bytes.count {
        if let (id, length) = special(bytes, at: place) {
          ids.append(id)
          place += length
          continue
        }
        let word = PreTokenizer.clipWord(bytes, at: place)
        if !word.isSpace {
          let range = place..<word.end
          ids += merges.symbols(of: UnsafeBufferPointer(rebasing: bytes[range])).map { symbolIDs[Int($0)] }
        }
        place = word.end
      }
      return ids + [end]
    }
  }

  /// Returns at most `most` of a text's ids, of which the last is `end`.
  /// - Parameter most: the number of ids that a model reads; 77 for CLIP.
  /// - Returns: the ids, and whether some were cut off.
  public func encode(_ text: String, most: Int) -> (ids: [Int32], isCut: Bool) {
    let ids = encode(text)
    return ids.count <= most ? (ids, false) : (Array(ids.prefix(max(0, most - 1))) + [end], true)
  }

  /// Returns the special token that begins at a place of the text, in open_clip's spelling.
  private func special(
    _ bytes: UnsafeBufferPointer<UInt8>, at place: Int
  ) -> (id: Int32, length: Int)? {
    guard bytes[place] == UInt8(ascii: "<") else { return nil }
    for (name, id) in [("<start_of_text>", start), ("<end_of_text>", end)]
    where bytes[place...].starts(with: name.utf8) {
      return (id, name.utf8.count)
    }
    return nil
  }
}
