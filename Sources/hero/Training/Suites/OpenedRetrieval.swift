import Corpus
import Engine
import Formats
import Foundation
import Model
import Tasks

/// The retrieval model of a run, opened to search with.
public struct OpenedRetrieval {
  public let model: RetrievalModel
  /// How moments are ranked.
  public var options: RetrievalEvaluationOptions { RetrievalSettings(configuration).evaluation }
  public let configuration: RunConfiguration
  /// The file of the weights.
  public let checkpoint: String
  /// The file of the model's shape.
  public let modelConfiguration: String

  /// - Parameters:
  ///   - path: the folder of a run of this program or of the reference.
  ///   - checkpoint: a step, `best`, `latest` or a file.
  ///   - arguments: options that overrule the run's.
  ///   - work: whether videos are encoded or searched.
  /// - Throws: `UsageError` for a run that does not retrieve, `DataError` for files.
  public init(
    path: String, checkpoint name: String, arguments: [String] = [], for work: RunWork = .search, log: RunLog,
    backend: any Backend
  ) throws {
    let made = try RunMade(
      path: path, arguments: arguments, for: work, log: log, communicator: SoleCommunicator.shared)
    let (folder, configuration) = (made.folder, made.context.configuration)
    guard configuration.family == .momentRetrieval || configuration.family == .videoRetrieval else {
      throw DataError(
        "was trained for \(configuration.task.rawValue), which finds no moments", file: path,
        cure: "Give a model that 'hero finetune' trained for tvr, how2r, didemo or msrvtt")
    }
    checkpoint = try folder.checkpoint(named: name).path
    modelConfiguration = folder.modelConfiguration
    guard let width = try Checkpoint(path: checkpoint).featureWidth() else {
      throw DataError("holds no video encoder", file: checkpoint, cure: "Give a checkpoint of the task")
    }
    let opened = try OpenedModel(
      configuration, parts: RetrievalSuite.modelParts, featureWidth: width, folder: folder,
      checkpoint: checkpoint, log: log)
    try opened.require(backend)
    model = RetrievalModel(opened.shape, backend: backend)
    try opened.load(model.store)
    self.configuration = configuration
  }

  /// A reader of videos from stores, cut and put together as the model was trained to read them.
  /// - Parameters:
  ///   - subtitles: nil for a model that reads frames alone.
  ///   - cls: the id of `[CLS]`.
  public func reader(features: String, subtitles: String?, cls: Int32) throws -> VideoReader {
    let store = try FeatureStore(
      path: features, featureVersion: configuration.featureVersion, frameLength: configuration.frameInterval,
      compressed: configuration.compressed)
    if subtitles == nil, configuration.videoChannels == .subtitles {
      throw DataError(
        "the model reads subtitles alone, and there are none", file: features, cure: "Give --sub-txt-db")
    }
    guard let subtitles, configuration.videoChannels != .video else {
      return VideoReader(features: store, videoOnly: cls, maxClipLength: configuration.maxClipLength)
    }
    return VideoReader(
      features: store, subtitles: try SubtitleStore(path: subtitles),
      maxClipLength: configuration.maxClipLength, contextLength: configuration.subtitleContext,
      textAlone: configuration.videoChannels == .subtitles)
  }
}
