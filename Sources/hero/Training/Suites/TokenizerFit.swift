import Corpus
import Formats
import Model
import Text

/// Whether a tokenizer is the one that stores and a model were made with.
public enum TokenizerFit {
  /// Tables of words are padded to a multiple of some power of two; a model with more rows than
  /// that has another vocabulary.
  private static let padding = 128

  /// - Parameters:
  ///   - tokenizer: as it was opened.
  ///   - folder: its folder.
  ///   - meta: what the stores say that are read with it.
  ///   - model: the model that reads its tokens.
  ///   - name: what to call the model.
  ///   - log: told where the model has many more words.
  /// - Throws: `DataError` where tokenizer, stores and model are not of one vocabulary.
  public static func require(
    _ tokenizer: Tokenizer, in folder: String, _ meta: [StoreMeta], _ model: ModelConfiguration,
    named name: String,
    log: RunLog
  ) throws {
    let (known, rows) = (tokenizer.vocabularySize, model.vocabularyRows)
    guard known <= rows else {
      throw DataError(
        "knows \(known) words, \(name) \(rows)", file: folder, place: "vocab.json",
        cure: "Give --tokenizer the one that the stores were made with")
    }
    if rows - known >= padding {
      log.warning(
        "the tokenizer \(folder) knows \(known) words, \(name) \(rows): is it the one that the model was trained with?"
      )
    }
    let own = Special(tokenizer)
    for meta in meta where Special(meta) != own {
      throw DataError(
        "its special tokens are \(Special(meta)), those of the tokenizer \(folder) are \(own)",
        file: meta.path,
        cure: "Give stores and --tokenizer that belong together")
    }
  }

  /// The ids that a store's `meta.json` repeats.
  private struct Special: Equatable, CustomStringConvertible {
    let ids: [Int32]
    let range: Range<Int32>

    init(_ tokenizer: Tokenizer) {
      ids = [
        tokenizer.pad, tokenizer.bos, tokenizer.eos, tokenizer.sep, tokenizer.cls, tokenizer.mask,
        tokenizer.unk,
      ]
      range = tokenizer.vRange
    }

    init(_ meta: StoreMeta) {
      ids = [meta.pad, meta.bos, meta.eos, meta.sep, meta.cls, meta.mask, meta.unk]
      range = meta.vRange
    }

    var description: String { "\(ids) and the words from \(range.lowerBound) to \(range.upperBound - 1)" }
  }
}
