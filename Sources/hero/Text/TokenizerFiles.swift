import Formats
import Foundation

/// The two files of a RoBERTa tokenizer, `vocab.json` and `merges.txt`.
enum TokenizerFiles {
  /// The text of a file.
  /// - Throws: `DataError` where it is missing, unreadable or not UTF-8.
  static func text(at path: String) throws(DataError) -> String {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw DataError(
        FileManager.default.fileExists(atPath: path) ? "cannot be read" : "no such file", file: path,
        cure: "A tokenizer folder holds vocab.json and merges.txt, as roberta-base has them")
    }
    guard let text = String(validating: data, as: UTF8.self) else {
      throw DataError("not UTF-8", file: path, cure: "Take it from the tokenizer's release again")
    }
    return text
  }

  /// Token to id, from `vocab.json`.
  static func vocabulary(at path: String) throws -> [String: Int32] {
    let json = try JSON.parse(try text(at: path), file: path)
    guard let object = json.object else {
      throw DataError("expected an object of token: id", file: path)
    }
    var vocabulary: [String: Int32] = [:]
    vocabulary.reserveCapacity(object.count)
    for (token, value) in object {
      guard let id = value.int, let id = Int32(exactly: id), id >= 0, id < Int32.max else {
        throw DataError("the id is not a whole number from 0 up", file: path, place: "token \"\(token)\"")
      }
      vocabulary[token] = id
    }
    return vocabulary
  }
}
