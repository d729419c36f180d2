import Corpus
import Engine
import Formats
import Foundation
import Model
import Tasks
import Text
import Training

/// A model with its tokenizer, which turns videos and queries into comparable vectors.
public struct SearchModel {
  /// The retrieval model with the run's options.
  public let opened: OpenedRetrieval
  /// The tokenizer of typed queries.
  public let tokenizer: Tokenizer
  /// The tokenizer's folder.
  public let tokenizerFolder: String
  /// The head of an index with this model's rows.
  public let head: IndexHead

  /// The network itself.
  public var model: RetrievalModel { opened.model }

  /// Opens a trained model.
  ///
  /// - Parameters:
  ///   - folder: the folder of the model's run.
  ///   - checkpoint: a step, `best`, `latest` or a file.
  ///   - tokenizer: the folder with vocab.json and merges.txt.
  ///   - subtitles: the metadata of the store whose subtitles the model reads.
  ///   - arguments: options that override the run's.
  ///   - work: whether videos are encoded or searched.
  public init(
    folder: String, checkpoint: String, tokenizer path: String, subtitles: StoreMeta? = nil,
    arguments: RunArguments = RunArguments(), for work: RunWork = .search, log: RunLog, backend: any Backend
  ) throws {
    let run = try SavedRun(path: folder, checkpoint: checkpoint, arguments, for: work, log: log)
    opened = try OpenedRetrieval(run, backend: backend)
    tokenizer = try run.tokenizer(path, [subtitles].compactMap { $0 }, opened.model.configuration)
    tokenizerFolder = path
    let configuration = opened.configuration
    // The settings other than the weights that an encoded frame depends on.
    let cut: JSON = [
      "task": .string(configuration.task.rawValue), "vfeat_interval": .double(configuration.frameInterval),
      "feat_version": .string(configuration.featureVersion),
      "max_clip_len": .int(configuration.maxClipLength),
      "sub_ctx_len": .int(configuration.subtitleContext),
    ]
    var shape = ContentHash()
    shape.update(try JSON.read(path: run.modelConfiguration).encodedBytes())
    shape.update(cut.encodedBytes())
    var words = ContentHash()
    for file in tokenizer.files { words.update(try FileBytes.read(path: file)) }
    head = IndexHead(
      width: opened.model.configuration.cross.hiddenSize, frameInterval: configuration.frameInterval,
      model: ModelIdentity(
        checkpoint: try ContentHash.text(ofFile: run.weights), configuration: shape.text,
        tokenizer: words.text),
      modelFolder: Self.absolute(folder), tokenizer: Self.absolute(path), precision: backend.precision)
  }

  /// Returns the folder of the tokenizer for a subtitle store.
  /// - Parameter option: the folder that the user gave.
  public static func tokenizer(option: String?, subtitles: StoreMeta?) throws -> String {
    guard option != nil || subtitles?.tokenizer != nil else {
      throw UsageError("give --tokenizer, the folder with vocab.json and merges.txt")
    }
    return try TokenizerFolder.find(option: option, note: subtitles?.tokenizer)
  }

  static func absolute(_ path: String) -> String { URL(fileURLWithPath: path).standardizedFileURL.path }

  /// Returns the token ids of a query, with the leading special token.
  /// - Throws: `DataError` where the model cannot read the query.
  public func tokens(_ query: String) throws -> [Int32] {
    let tokens = [tokenizer.cls] + tokenizer.encodeQuery(query)
    try checkQuery(tokens, model.configuration, "the query")
    return tokens
  }
}
