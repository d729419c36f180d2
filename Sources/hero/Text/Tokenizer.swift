import Formats

/// RoBERTa's byte-level BPE, giving exactly the ids of transformers 2.0.0's
/// `RobertaTokenizer.tokenize` followed by `convert_tokens_to_ids`.
///
/// No space is put before the first word, surrounding white space goes, and special tokens inside
/// the text are one token each. It may be shared by threads.
public final class Tokenizer: Sendable {
  /// `<pad>`, `<s>`, `</s>`, `</s>`, `<s>`, `<mask>` and `<unk>`.
  public let pad, bos, eos, sep, cls, mask, unk: Int32
  /// The ids that a random replacement is drawn from in masked-language modelling: `.` …
  /// `<|endoftext|>`.
  public let vRange: Range<Int32>

  /// The files that the tokenizer was read from: `vocab.json` and `merges.txt`, or
  /// `tokenizer.json`.
  public let files: [String]
  /// As `vocab.json` spells them.
  let tokens: [Int32: String]
  private let merges: MergeTable
  /// The id of each symbol of `merges`.
  private let symbolIDs: [Int32]
  private let specials: SpecialTokens
  private let cache = WordCache()

  /// Reads `vocab.json` and `merges.txt` in `directory`, or its `tokenizer.json`.
  /// - Throws: `DataError` where one of them is missing or malformed, where the two do not belong
  ///   together, or where a token that HERO needs has no id.
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

  /// The ids of a text as it is: a caption.
  public func encode(_ text: String) -> [Int32] {
    var text = text
    return text.withUTF8 { bytes in
      var ids: [Int32] = []
      guard !bytes.isEmpty else { return ids }
      ids.reserveCapacity(bytes.count / 4 + 2)
      let stripped = PythonText.strippedRange(of: bytes, in: 0..<bytes.count)
      // Splitting white space by `<s>` leaves an empty first piece, which the reference takes for
      // the token.
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

  /// The ids of a query, question, answer or statement: lower-cased first if it is all upper case.
  public func encodeQuery(_ text: String) -> [Int32] {
    encode(PythonText.isUpper(text) ? PythonText.lowered(text) : text)
  }

  /// The ids of a subtitle sentence: HTML references replaced, then as a query.
  public func encodeSubtitle(_ text: String) -> [Int32] {
    encodeQuery(HTMLText.unescaped(text))
  }

  /// The text of tokens; bytes that are not UTF-8 become U+FFFD, and ids without a token become
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
