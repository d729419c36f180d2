import Engine
import Formats
import Foundation
import Model
import Text
import Training

/// CLIP's text tower and tokenizer, which turn queries into vectors comparable with pictures.
public struct CLIPModel {
  /// The files of the weights.
  public let files: CLIPFiles
  /// The text tower, which turns tokens into a row of ``IndexHead/width`` numbers.
  public let text: CLIPTextEncoder
  /// The tokenizer, which splits a query into byte pairs and truncates it to the tower's context.
  public let tokenizer: CLIPTokenizer
  /// The head of an index with this model's rows.
  public let head: IndexHead

  /// Reads a CLIP from files.
  ///
  /// - Parameters:
  ///   - weights: a file or folder of weights.
  ///   - vocabulary: a file or folder; nil to look beside the weights.
  ///   - activation: an activation that the files do not name; nil to take it from the files.
  ///   - frameInterval: seconds between the indexed frames.
  /// - Throws: `DataError` where files are missing, damaged, or do not fit together.
  public init(
    weights: String, vocabulary: String?, activation: CLIPActivation?, frameInterval: Double, log: RunLog,
    backend: any Backend
  ) throws {
    let words = try CLIPVocabulary.find(option: vocabulary, weights: weights)
    files = try CLIPFiles(path: weights, activation: activation)
    files.notes.forEach(log.warning)
    tokenizer = try CLIPTokenizer(path: words)
    text = try CLIPTextEncoder(files, backend: backend)
    guard tokenizer.vocabularySize == text.vocabulary else {
      throw DataError(
        "has \(tokenizer.vocabularySize) tokens, and \(files.weights) knows \(text.vocabulary)", file: words,
        cure: "Give --clip-vocabulary that of these weights")
    }
    var weightsHash = ContentHash()
    for part in files.parts { weightsHash.update(Array(try ContentHash.text(ofFile: part).utf8)) }
    var shape = ContentHash()
    for tower in [files.image, files.text] {
      shape.update(Array("\(tower.activation.rawValue) \(tower.heads ?? 0);".utf8))
    }
    shape.update(Array("\(files.imageNetwork) \(frameInterval)".utf8))
    head = IndexHead(
      width: text.width, frameInterval: frameInterval,
      model: ModelIdentity(
        checkpoint: weightsHash.text, configuration: shape.text, tokenizer: tokenizer.identity),
      modelFolder: SearchModel.absolute(weights), tokenizer: SearchModel.absolute(words),
      kind: .clip(activation))
  }

  /// Returns the row of a query, of unit length.
  public func row(_ query: String) -> [Float] {
    text.rows([tokenizer.encode(query, most: text.context).ids])
  }

  /// Returns a note on the part of a query that is not read; nil if all of it is.
  public func cut(_ query: String) -> String? {
    let ids = tokenizer.encode(query)
    guard ids.count > text.context else { return nil }
    return
      "the query has \(ids.count - 2) tokens, of which CLIP reads the first \(text.context - 2): what comes last is not searched for"
  }
}
