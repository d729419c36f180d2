import Engine
import Formats
import Foundation
import Model
import Tasks
import Text
import Training

/// A model with its tokenizer: what turns videos and queries into vectors that can be compared.
public struct SearchModel {
  public let opened: OpenedRetrieval
  public let tokenizer: Tokenizer
  public let head: IndexHead

  public var model: RetrievalModel { opened.model }

  /// - Parameters:
  ///   - folder: of the model's run.
  ///   - checkpoint: a step, `best`, `latest` or a file.
  ///   - tokenizer: the folder with vocab.json and merges.txt.
  ///   - arguments: options that overrule the run's.
  ///   - work: whether videos are encoded or searched.
  public init(
    folder: String, checkpoint: String, tokenizer path: String, arguments: [String],
    for work: RunWork = .search, log: RunLog, backend: any Backend
  ) throws {
    opened = try OpenedRetrieval(
      path: folder, checkpoint: checkpoint, arguments: arguments, for: work, log: log, backend: backend)
    do {
      tokenizer = try Tokenizer(directory: path)
    } catch let error as DataError {
      throw error.located(cure: "Give --tokenizer the folder with vocab.json and merges.txt")
    }
    try checkTokens([tokenizer.cls, tokenizer.sep], opened.model.configuration, "the tokenizer")
    let configuration = opened.configuration
    // What an encoded frame depends on besides the weights.
    let cut: JSON = [
      "task": .string(configuration.task.rawValue), "vfeat_interval": .double(configuration.frameInterval),
      "feat_version": .string(configuration.featureVersion),
      "max_clip_len": .int(configuration.maxClipLength),
      "sub_ctx_len": .int(configuration.subtitleContext),
    ]
    var shape = ContentHash()
    shape.update(try JSON.read(path: opened.modelConfiguration).encodedBytes())
    shape.update(cut.encodedBytes())
    var words = ContentHash()
    for name in ["vocab.json", "merges.txt"] { words.update(try FileBytes.read(path: "\(path)/\(name)")) }
    head = IndexHead(
      width: opened.model.configuration.cross.hiddenSize, frameInterval: configuration.frameInterval,
      model: ModelIdentity(
        checkpoint: try ContentHash.text(ofFile: opened.checkpoint), configuration: shape.text,
        tokenizer: words.text),
      modelFolder: Self.absolute(folder), tokenizer: Self.absolute(path))
  }

  static func absolute(_ path: String) -> String { URL(fileURLWithPath: path).standardizedFileURL.path }

  /// The token ids of a query, the leading special token included.
  /// - Throws: `DataError` where the model cannot read them.
  public func tokens(_ query: String) throws -> [Int32] {
    let tokens = [tokenizer.cls] + tokenizer.encodeQuery(query)
    try checkQuery(tokens, model.configuration, "the query")
    return tokens
  }
}
