import Corpus
import Engine
import Formats
import Foundation
import Metrics
import Model
import Text

/// A run that was made before, by this program or by the reference, and is put to use.
struct RunMade {
  let folder: RunFolder
  /// With the options that overrule the run's.
  let context: RunContext

  /// - Parameters:
  ///   - path: the run's folder.
  ///   - task: the task, whatever the run says.
  ///   - usual: the task where the run does not say.
  ///   - arguments: options that overrule the run's.
  ///   - batchSize: items a pass, whichever options say that of the task.
  ///   - work: what is done with it.
  ///   - vid2durIdx: the file with the candidates of retrieval; nil for the subtitle store's.
  init(
    path: String, task: RunTask? = nil, usual: RunTask? = nil, arguments: [String],
    batchSize: Int? = nil, for work: RunWork, log: RunLog, communicator: any Communicator,
    meteor: MeteorResources? = nil, vid2durIdx: String? = nil
  ) throws {
    folder = RunFolder(path: path)
    var configuration = try folder.configuration(task: task, usual: usual)
    let flags = try RunArguments(arguments)
    try configuration.apply(flags, for: work)
    if let batchSize {
      let names = configuration.task.passOptions
      if let other = flags.settings.first(where: { names.contains($0.option.name) })?.option.name {
        throw UsageError("give one of --batch-size and --\(other.replacing("_", with: "-"))")
      }
      let words = names.flatMap { ["--\($0)", String(batchSize)] }
      try configuration.apply(try RunArguments(words), for: work)
    }
    try configuration.validate()
    try Self.requireStores(configuration, given: flags, for: work, file: folder.hyperparameters)
    context = RunContext(
      configuration: configuration, log: log, communicator: communicator, vid2durIdx: vid2durIdx,
      meteor: meteor)
    context.tellIdle(
      configuration.idleOptions.filter { option in
        flags.settings.contains { $0.option.name == option.name && $0.option.group == .ignored }
      })
    configuration.use.begin()
  }

  /// Looks whether the stores that the run was trained on are where it says.
  /// - Throws: `DataError` naming the flag that says where else.
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
        "\"\(option.name)\" is \(path), which is not there\(place)", file: file,
        cure: "Give --\(option.name.replacing("_", with: "-"))")
    }
  }

  /// The model with a checkpoint's weights, and what to call the checkpoint in the names of
  /// results.
  /// - Parameter name: a step, `best`, `latest` or a file.
  func model<Suite: TaskSuite>(
    of suite: Suite, featureWidth: Int, checkpoint name: String, backend: any Backend
  ) throws -> (model: Suite.Model, label: String) {
    let (file, label) = try folder.checkpoint(named: name)
    let opened = try OpenedModel(
      context.configuration, parts: Suite.modelParts, featureWidth: featureWidth, folder: folder,
      checkpoint: file, log: context.log)
    try suite.check(opened.shape)
    try opened.require(backend)
    let model = Suite.Model(opened.shape, backend: backend)
    try opened.load(model.store)
    return (model, label)
  }

  // MARK: What must fit

  /// - Parameter cure: which run to give instead.
  /// - Throws: `DataError` for a run of another family.
  func require(_ family: TaskFamily, cure: String) throws {
    let task = context.configuration.task
    guard task.family == family else {
      throw DataError(
        "was trained for \(task.rawValue), which is \(task.family.rawValue), not \(family.rawValue)",
        file: folder.path, place: "log/hps.json", cure: cure)
    }
  }

  /// - Parameter name: the checkpoint.
  /// - Throws: `DataError` where the model reads frames of another width than a store has.
  func require(_ features: FeatureStore, checkpoint name: String) throws {
    let file = try folder.checkpoint(named: name).path
    guard let read = try Checkpoint(path: file).featureWidth() else {
      throw DataError("holds no video encoder", file: file, cure: "Give a checkpoint of the task")
    }
    let width = try features.width()
    guard read == width else {
      throw DataError(
        "its frames are \(width) wide, the model of \(file) reads \(read)", file: features.path,
        cure: "Give --vfeat-db the features that the run was trained on, or another run")
    }
  }

  /// - Parameters:
  ///   - tokenizer: of the folder `path`.
  ///   - subtitles: the store that the model reads with it.
  /// - Throws: `DataError` where tokenizer, store and model are not of one vocabulary.
  func require(
    _ tokenizer: Tokenizer, at path: String, _ subtitles: SubtitleStore?, _ model: ModelConfiguration
  ) throws {
    try TokenizerFit.require(
      tokenizer, in: path, [subtitles?.meta].compactMap { $0 }, model, named: "the model of \(folder.path)",
      log: context.log)
  }
}
