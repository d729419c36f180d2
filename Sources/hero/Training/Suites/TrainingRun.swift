import Engine
import Formats

/// `hero finetune` and `hero pretrain`: from a configuration to a folder of checkpoints, for any
/// task.
public struct TrainingRun {
  private let suite: any TaskSuite

  /// - Parameter communicator: the ranks that train together.
  /// - Throws: `DataError` for options that do not fit together.
  public init(
    _ configuration: RunConfiguration, log: RunLog, communicator: any Communicator = SoleCommunicator.shared
  ) throws {
    suite = try RunContext(configuration: configuration, log: log, communicator: communicator).suite()
  }

  /// The ways in which a run begins.
  public enum Beginning: Sendable {
    /// A new run in a folder without a run.
    case anew
    /// The run in the output folder with its options, or a new run if there is none.
    case resumed
    /// The run in the output folder, with options that change what is learnt from here on.
    case resumedWithChanges
  }

  /// Trains to the last update, with validations and checkpoints on the way.
  ///
  /// - Throws: `UsageError` for a precision that does not train, `DataError` for files, options and
  ///   weights that do not fit. A folder made for a run that does not begin is removed.
  public func run(_ beginning: Beginning, backend: any Backend) throws {
    let (context, precision) = (suite.run, backend.precision)
    try precision.requireTraining()
    var configuration = context.configuration
    if let asked = configuration.precisionInFile, asked != .string(precision.rawValue) {
      context.log.warning(
        "\"precision\" is \(asked.shown) in the file, which has no effect: this run computes in "
          + "\(precision.rawValue), as --precision says")
    }
    configuration.recordedPrecision = precision
    context.tellIdle(configuration.idleOptions)
    try train(suite, configuration, beginning, backend: backend)
  }

  private func train<Suite: TaskSuite>(
    _ suite: Suite, _ configuration: RunConfiguration, _ beginning: Beginning, backend: any Backend
  ) throws {
    let (log, communicator) = (suite.log, suite.communicator)
    let folder = RunFolder(path: try configuration.required(\.outputDirectory))
    let resume = beginning != .anew
    // Only the first rank touches the folder.
    var (lock, folders, hasBegun): (RunLock?, MadeFolders, Bool) = (nil, MadeFolders(), false)
    defer {
      if !hasBegun {
        lock?.withdraw()
        folders.remove()
      }
      withExtendedLifetime(lock) {}
    }
    if communicator.isFirst {
      if !resume { try folder.requireUnused() }
      try folder.create(&folders)
      try folder.requireWritable()
      lock = try RunLock(folder: folder)
    }
    if resume, communicator.isFirst { try folder.requireOwnStates() }
    if beginning == .resumed, communicator.isFirst, folder.holdsRun {
      try configuration.requireUnchanged(
        since: try folder.configuration(task: configuration.task), folder: folder)
    }
    let videos = try suite.openForTraining()
    let opened = try OpenedModel(
      configuration, parts: Suite.modelParts, featureWidth: try suite.featureWidth(of: videos), log: log)
    try suite.check(opened.shape)
    try opened.require(backend)
    let model = Suite.Model(opened.training, backend: backend)
    let learning = try suite.learning(model, videos)
    let trainer = Trainer(
      learning.mixture, configuration: configuration, folder: folder, log: log, communicator: communicator
    ) { step in
      try learning.validate(step, folder.results)
    }
    for note in SharedItems.notes(of: configuration, suite.run.stores) { log.warning(note) }
    suite.run.stores.forget()
    try trainer.check()
    let start = try opened.draw(model.store)
    // A resumed run has its own weights. If they do not fit, the folder stays as it was.
    if try trainer.begin(resume: resume) == 0 { log.info(start) }
    if communicator.isFirst { try opened.begin(folder, resume: resume) }
    hasBegun = true
    try trainer.run(resume: resume)
    suite.run.tellUnread()
    if communicator.isFirst { describe(folder, configuration, log) }
  }
  /// Describes the run in its folder; a failure is only a warning, because the weights are saved.
  private func describe(_ folder: RunFolder, _ configuration: RunConfiguration, _ log: RunLog) {
    do {
      for file in try folder.describe(task: configuration.task) {
        log.info("\(file) is none of this program's and stays; there is no description of the run there")
      }
    } catch {
      log.warning("\(error)")
    }
  }
}

extension Precision {
  /// - Throws: `UsageError` for a precision in which no model can be trained.
  public func requireTraining() throws {
    guard trains else {
      throw UsageError("\(rawValue) encodes and does not train; give --precision auto, or fp32 or bf16")
    }
  }
}
