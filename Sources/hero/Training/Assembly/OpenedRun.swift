import Corpus
import Engine
import Formats
import Model
import Tasks

/// The stores, the model's shape and the starting weights of a run with subtitles, opened and checked.
struct OpenedRun {
  let reader: VideoReader
  /// As the files say.
  let shape: ModelConfiguration
  /// With the run's dropout.
  let training: ModelConfiguration
  private let checkpoint: Checkpoint?
  private let modelJSON: JSON
  private let assembly: RunAssembly
  private let log: RunLog

  /// - Parameters:
  ///   - folder: a run to evaluate; its own model configuration counts then.
  ///   - path: the checkpoint to evaluate; else the configuration's.
  init(
    _ configuration: RunConfiguration, log: RunLog, folder: RunFolder? = nil, checkpoint path: String? = nil
  ) throws {
    self.log = log
    assembly = RunAssembly(configuration: configuration)
    let file =
      try folder?.modelConfiguration ?? assembly.required(configuration.modelConfiguration, "model_config")
    modelJSON = try JSON.read(path: file)
    let (features, subtitles) = (try assembly.features(), try assembly.subtitles())
    guard let subtitles else { preconditionFailure("the task has subtitles") }
    checkpoint = try (path ?? configuration.checkpoint).map { try Checkpoint(path: $0) }
    shape = try assembly.model(modelJSON, file: file, featureWidth: features.width(), checkpoint: checkpoint)
    reader = assembly.reader(features, subtitles, cls: subtitles.meta.cls)
    var dropped = shape
    dropped.setDropout(Float(configuration.dropout))
    training = dropped
  }

  /// The checkpoint to evaluate.
  func requiredCheckpoint() throws -> Checkpoint {
    guard let checkpoint else { throw DataError("no checkpoint is given", cure: "Give --checkpoint") }
    return checkpoint
  }

  /// Draws or loads the weights, makes the run's folder and begins its log.
  func begin(_ store: ParameterStore, folder: RunFolder, resume: Bool) throws {
    try assembly.initialize(store, from: checkpoint, log: log)
    try folder.create(configuration: assembly.configuration, modelConfiguration: modelJSON, resuming: resume)
    try log.attach(path: folder.logFile)
  }
}
