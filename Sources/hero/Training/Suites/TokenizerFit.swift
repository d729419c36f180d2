import Corpus
import Formats
import Model
import Text

/// A check that a tokenizer is the one that stores and a model were made with.
enum TokenizerFit {
  /// The largest multiple that tables of words are padded to; a model with as many extra rows has
  /// another vocabulary.
  private static let padding = 128

  /// Opens the tokenizer of stores and models.
  /// - Parameters:
  ///   - option: the folder that the user gave; nil for the one that a store names.
  ///   - meta: the `meta.json` of the stores that are read with it.
  ///   - models: the models that read its tokens.
  ///   - name: what messages call a model.
  ///   - log: warns if the model has many more words.
  /// - Throws: `DataError` if there is none, or if tokenizer, stores and models do not share one
  ///   vocabulary.
  static func open(
    _ option: String?, _ meta: [StoreMeta], _ models: [ModelConfiguration], named name: String, log: RunLog
  ) throws -> Tokenizer {
    let folder = try TokenizerFolder.find(option: option, note: meta.lazy.compactMap(\.tokenizer).first)
    let tokenizer = try TokenizerFolder.open(folder)
    let own = Special(tokenizer)
    for model in models {
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
    }
    for meta in meta where Special(meta) != own {
      throw DataError(
        "its special tokens are \(Special(meta)), those of the tokenizer \(folder) are \(own)",
        file: meta.path,
        cure: "Give stores and --tokenizer that belong together")
    }
    return tokenizer
  }

  /// The special ids of a tokenizer, which a store's `meta.json` repeats.
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
