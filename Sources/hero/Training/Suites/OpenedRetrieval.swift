import Corpus
import Engine
import Formats
import Model
import Tasks

/// The retrieval model of a run, opened to search with.
public struct OpenedRetrieval {
  /// The model with the checkpoint's weights, on the backend that the initializer was given.
  public let model: RetrievalModel
  /// The options of ranking moments.
  public var options: RetrievalEvaluationOptions { suite.settings.evaluation }
  /// The run, with the files of the weights and of the model's shape.
  public let run: SavedRun
  /// The run's options with the overrides applied.
  public var configuration: RunConfiguration { run.configuration }
  private let suite: RetrievalSuite

  /// - Throws: `DataError` for a run that does not retrieve, and for files.
  public init(_ run: SavedRun, backend: any Backend) throws {
    self.run = run
    suite = try run.suite(
      as: RetrievalSuite.self,
      cure: "Give a model that 'hero finetune' trained for tvr, how2r, didemo or msrvtt")
    model = try run.model(of: suite, backend: backend)
  }

  /// Makes a reader of stores that cuts and joins videos as the model was trained to read them.
  /// - Parameters:
  ///   - subtitles: nil for a model that reads frames alone.
  ///   - stores: the open stores; by default none is open, so the reader opens its own.
  ///   - cls: the id of `[CLS]`.
  public func reader(
    features: String, subtitles: String?, of stores: OpenedStores = OpenedStores(), cls: Int32
  ) throws -> VideoReader {
    if subtitles == nil, configuration.videoChannels == .subtitles {
      throw DataError(
        "the model reads subtitles alone, and there are none", file: features, cure: "Give --sub-txt-db")
    }
    return try configuration.videoReader(features, subtitles: subtitles, of: stores, cls: cls)
  }
}
