import Corpus
import Engine
import Formats
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
  init(
    path: String, task: RunTask? = nil, usual: RunTask? = nil, arguments: [String], log: RunLog,
    communicator: any Communicator
  ) throws {
    folder = RunFolder(path: path)
    var configuration = try folder.configuration(task: task, usual: usual)
    try configuration.apply(try RunArguments(arguments))
    try configuration.validate()
    context = RunContext(configuration: configuration, log: log, communicator: communicator)
  }

  /// The model with a checkpoint's weights, and what to call the checkpoint in the names of results.
  /// - Parameter name: a step, `best`, `latest` or a file.
  func model<Suite: TaskSuite>(
    of suite: Suite, featureWidth: Int, checkpoint name: String, backend: any Backend
  ) throws -> (model: Suite.Model, label: String) {
    let (file, label) = try folder.checkpoint(named: name)
    let opened = try OpenedModel(
      context.configuration, featureWidth: featureWidth, folder: folder, checkpoint: file, log: context.log)
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
    // A model may have rows that no word uses: tables are padded.
    guard tokenizer.vocabularySize <= model.vocabularyRows else {
      throw DataError(
        "knows \(tokenizer.vocabularySize) words, the model of \(folder.path) \(model.vocabularyRows)",
        file: path, place: "vocab.json", cure: "Give --tokenizer the one that the run's stores were made with"
      )
    }
    guard let subtitles else { return }
    let meta = subtitles.meta
    let own = [meta.pad, meta.bos, meta.eos, meta.sep, meta.cls, meta.mask, meta.unk]
    let words = [
      tokenizer.pad, tokenizer.bos, tokenizer.eos, tokenizer.sep, tokenizer.cls, tokenizer.mask,
      tokenizer.unk,
    ]
    guard own == words else {
      throw DataError(
        "its special tokens are \(own), those of the tokenizer \(path) are \(words)", file: subtitles.path,
        place: "meta.json", cure: "Give --sub-txt-db and --tokenizer that belong together")
    }
  }
}
