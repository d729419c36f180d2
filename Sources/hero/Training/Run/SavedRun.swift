import Corpus
import Engine
import Formats
import Foundation
import Metrics
import Model
import Text

/// A run of this program or of the reference that is put to use.
///
/// It has the run's options with their overrides, and one of its checkpoints.
public struct SavedRun {
  let folder: RunFolder
  /// The suite that does the run's work, with the options decoded.
  let suite: any TaskSuite
  /// The file of the weights, and its label in the names of results.
  let checkpoint: (path: String, label: String)

  var context: RunContext { suite.run }
  /// The run's saved options with the overrides applied.
  public var configuration: RunConfiguration { context.configuration }
  /// The file of the weights.
  public var weights: String { checkpoint.path }
  /// The file of the model's shape.
  public var modelConfiguration: String { folder.modelConfiguration }

  /// - Parameters:
  ///   - path: the folder of a run of this program or of the reference.
  ///   - checkpoint: a step, `best`, `latest` or a file.
  ///   - task: the task, whatever the run says; a name without channels takes those of the run.
  ///   - usual: the task if the run names none.
  ///   - arguments: options that override the run's.
  ///   - batchSize: the number of items in a pass, in place of the task's own options for it.
  ///   - work: what is done with the run.
  ///   - communicator: the ranks that the work is divided among.
  ///   - meteor: the data that METEOR scores captions with; nil compares only words and stems.
  ///   - vid2durIdx: the file with the candidates of retrieval; nil for the subtitle store's.
  ///   - stores: the open stores that the run shares with other runs.
  /// - Throws: `UsageError` for options that mean nothing to the work, `DataError` for files.
  public init(
    path: String, checkpoint name: String = "best", task: RunTask? = nil, usual: RunTask? = nil,
    _ arguments: RunArguments = RunArguments(), batchSize: Int? = nil, for work: RunWork, log: RunLog,
    communicator: any Communicator = SoleCommunicator.shared, meteor: MeteorResources? = nil,
    vid2durIdx: String? = nil, stores: OpenedStores = OpenedStores()
  ) throws {
    folder = RunFolder(path: path)
    var configuration = try folder.configuration(task: task, usual: usual)
    try configuration.apply(arguments, for: work)
    if let batchSize {
      let options = configuration.task.passOptions
      if let other = options.first(where: { arguments.value(of: RunOptions.shared[keyPath: $0]) != nil }) {
        throw UsageError("give one of --batch-size and \(RunOptions.shared[keyPath: other].flag)")
      }
      for option in options { configuration[dynamicMember: option] = batchSize }
    }
    try Self.requireStores(configuration, given: arguments, for: work, file: folder.hyperparameters)
    let context = RunContext(
      configuration: configuration, log: log, communicator: communicator, vid2durIdx: vid2durIdx,
      meteor: meteor, stores: stores)
    context.tellIdle(
      configuration.idleOptions.filter { option in
        arguments.settings.contains { $0.option.name == option.name && $0.option.group == .ignored }
      })
    suite = try context.suite()
    checkpoint = try folder.checkpoint(named: name)
  }

  /// Checks whether the run's stores exist at the paths that it recorded.
  /// - Throws: `DataError` that names the flag for another path.
  private static func requireStores(
    _ configuration: RunConfiguration, given flags: RunArguments, for work: RunWork, file: String
  ) throws {
    let read = Set(RunOptions.read(by: work, configuration.task).map(\.name))
    var stores = [RunOptions.shared.videos]
    if configuration.videoChannels != .video { stores.append(RunOptions.shared.subtitles) }
    for option in stores where read.contains(option.name) && flags.value(of: option) == nil {
      guard let path = configuration.value(of: option)?.string, !path.isEmpty,
        !FileManager.default.fileExists(atPath: path)
      else { continue }
      let place = path.hasPrefix("/") ? "" : " from this folder, \(FileManager.default.currentDirectoryPath)"
      throw DataError(
        "\"\(option.name)\" is \(path), which is not there\(place)", file: file, cure: "Give \(option.flag)")
    }
  }

  /// Checks whether the run reads the channels of a stream.
  /// - Throws: `DataError` that names what the run reads.
  public func require(_ channels: VideoChannels) throws {
    let own = configuration.videoChannels
    guard own != channels else { return }
    throw DataError(
      "reads \(own.described), and is given as the run of \(channels.described)", file: folder.path,
      cure: "Give a run of \(channels.described), or average any runs of a task by --ensemble")
  }

  /// Returns the run's suite as one of a family.
  /// - Parameter cure: which run to give instead, as in "Give a run …".
  /// - Throws: `DataError` for a run of another family.
  func suite<Suite: TaskSuite>(as _: Suite.Type, cure: String) throws -> Suite {
    if let own = suite as? Suite { return own }
    let task = configuration.task
    throw DataError(
      "was trained for \(task.rawValue), which is \(task.family.rawValue)", file: folder.path,
      place: "log/hps.json", cure: cure)
  }

  /// Opens the model with the checkpoint's weights, and the videos that it reads.
  /// - Parameters:
  ///   - suite: the run's suite.
  ///   - store: the text store of a split; empty if there is none.
  /// - Throws: `DataError` if the model reads frames of another width than the store's.
  func open<Suite: EvaluableSuite>(
    _ suite: Suite, store: String = "", backend: any Backend
  ) throws -> (model: Suite.Model, videos: VideoReader) {
    let videos = try suite.open(toEvaluate: store)
    return (try model(of: suite, reading: videos.features, backend: backend), videos)
  }

  /// Opens the model with the checkpoint's weights.
  /// - Parameter features: the store that the model will read; nil if it is not known yet.
  func model<Suite: TaskSuite>(
    of suite: Suite, reading features: FeatureStore? = nil, backend: any Backend
  ) throws -> Suite.Model {
    let weights = try Checkpoint(path: checkpoint.path)
    let (read, width) = (try weights.featureWidth(), try features?.width())
    if let features, let read, let width, read != width {
      throw DataError(
        "its frames are \(width) wide, the model of \(weights.path) reads \(read)", file: features.path,
        cure: "Give --vfeat-db the features that the run was trained on, or another run")
    }
    guard let width = read ?? width else {
      throw DataError("holds no video encoder", file: weights.path, cure: "Give a checkpoint of the task")
    }
    let opened = try OpenedModel(
      configuration, parts: Suite.modelParts, featureWidth: width, saved: (folder, weights), log: context.log)
    try suite.check(opened.shape)
    try opened.require(backend)
    let model = Suite.Model(opened.shape, backend: backend)
    try opened.load(model.store)
    return model
  }

  /// Opens the tokenizer of the texts that a model of the run reads.
  /// - Parameters:
  ///   - option: the tokenizer's folder; nil for the one that made the subtitle store.
  ///   - meta: the `meta.json` of the stores that are read with it.
  /// - Throws: `DataError` if tokenizer, stores and model do not share one vocabulary.
  public func tokenizer(_ option: String?, _ meta: [StoreMeta], _ model: ModelConfiguration) throws
    -> Tokenizer
  {
    try TokenizerFit.open(option, meta, [model], named: "the model of \(folder.path)", log: context.log)
  }
}
