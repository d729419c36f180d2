import Formats

/// RoBERTa's byte-level BPE, with exactly the ids of transformers 2.0.0's
/// `RobertaTokenizer.tokenize` followed by `convert_tokens_to_ids`.
///
/// It puts no space before the first word and strips surrounding white space. A special token
/// inside the text is one token. Threads may share a tokenizer.
public final class Tokenizer: Sendable {
  /// The ids of `<pad>`, `<s>`, `</s>`, `</s>`, `<s>`, `<mask>` and `<unk>`.
  public let pad, bos, eos, sep, cls, mask, unk: Int32
  /// The ids that masked-language modelling draws random replacements from: `.` … `<|endoftext|>`.
  public let vRange: Range<Int32>

  /// The files that the tokenizer was read from: `vocab.json` and `merges.txt`, or
  /// `tokenizer.json`.
  public let files: [String]
  /// The token of each id, as `vocab.json` spells it.
  let tokens: [Int32: String]
  private let merges: MergeTable
  /// The id of each symbol of `merges`.
  private let symbolIDs: [Int32]
  private let specials: SpecialTokens
  private let cache = WordCache()

  /// Reads `vocab.json` and `merges.txt` in `directory`, or its `tokenizer.json`.
  /// - Throws: `DataError` if a file is missing or malformed, if the two do not belong together, or
  ///   if a token that HERO needs has no id.
  public init(directory: String) throws {
    let parts = try TokenizerFiles(folder: directory)
    let vocabulary = parts.vocabulary
    let ids = try SpecialIDs(parts)
    (bos, eos, pad, unk, mask, cls, sep) = (ids.bos, ids.eos, ids.pad, ids.unk, ids.mask, ids.bos, ids.eos)
    vRange = ids.range
    files = parts.paths
    merges = try MergeTable(parts)
    symbolIDs = try parts.ids(of: merges)
    tokens = try parts.tokens()
    specials = SpecialTokens(
      SpecialIDs.names.map { ($0, vocabulary[Array($0.utf8)] ?? 0) })
  }

  /// One more than the largest id.
  public var vocabularySize: Int { Int(tokens.keys.max() ?? -1) + 1 }

  /// Returns the ids of a text as it is, such as a caption.
  public func encode(_ text: String) -> [Int32] {
    var text = text
    return text.withUTF8 { bytes in
      var ids: [Int32] = []
      guard !bytes.isEmpty else { return ids }
      ids.reserveCapacity(bytes.count / 4 + 2)
      let stripped = PythonText.strippedRange(of: bytes, in: 0..<bytes.count)
      // The reference splits white space by `<s>` into an empty first piece and takes it for the
      // token.
      guard !stripped.isEmpty else { return [bos] }
      specials.forEachPiece(of: bytes, in: stripped) { piece in
        switch piece {
        case .special(let id): ids.append(id)
        case .text(let range): append(bytes, range, to: &ids)
        }
      }
      return ids
    }
  }

  /// Returns the ids of a query, question, answer or statement; lower-cases text in capitals only.
  public func encodeQuery(_ text: String) -> [Int32] {
    encode(PythonText.isUpper(text) ? PythonText.lowered(text) : text)
  }

  /// Returns the ids of a subtitle sentence: replaces HTML references, then encodes it as a query.
  public func encodeSubtitle(_ text: String) -> [Int32] {
    encodeQuery(HTMLText.unescaped(text))
  }

  /// Returns the text of tokens: bytes that are not UTF-8 become U+FFFD, ids without a token
  /// `<unk>`.
  public func decode(_ ids: [Int32]) -> String {
    String(decoding: ids.flatMap { ByteAlphabet.bytes(of: tokens[$0] ?? "<unk>") }, as: UTF8.self)
  }

  private func append(_ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, to ids: inout [Int32]) {
    var words = PreTokenizer(bytes, range: range)
    while let word = words.next() {
      cache.append(UnsafeBufferPointer(rebasing: bytes[word]), to: &ids) { word in
        merges.symbols(of: word).map { symbolIDs[Int($0)] }
      }
    }
  }
}
