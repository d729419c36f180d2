import Engine
import Formats
import Foundation
import Model
import Text
import Training

/// CLIP's text tower with its tokenizer: what turns queries into vectors that its pictures' rows
/// can be compared with.
public struct CLIPModel {
  /// The weights and the vocabulary, as found on disk.
  public let files: CLIPFiles
  /// Turns tokens into a row of ``IndexHead/width`` numbers.
  public let text: CLIPTextEncoder
  /// Splits a query into CLIP's byte pairs and cuts what the tower has no room for.
  public let tokenizer: CLIPTokenizer
  /// What an index of this model's rows says of it.
  public let head: IndexHead

  /// - Parameters:
  ///   - weights: a file or folder of weights.
  ///   - vocabulary: a file or folder; nil to look beside the weights.
  ///   - activation: what no file says; nil to have the files tell it.
  ///   - frameInterval: seconds between the frames that are indexed.
  /// - Throws: `DataError` where something is missing, damaged, or does not fit together.
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

  /// The row of a query, of unit length.
  public func row(_ query: String) -> [Float] {
    text.rows([tokenizer.encode(query, most: text.context).ids])
  }

  /// What of a query is not read; nil where all of it is.
  public func cut(_ query: String) -> String? {
    let ids = tokenizer.encode(query)
    guard ids.count > text.context else { return nil }
    return
      "the query has \(ids.count - 2) tokens, of which CLIP reads the first \(text.context - 2): what comes last is not searched for"
  }
}
