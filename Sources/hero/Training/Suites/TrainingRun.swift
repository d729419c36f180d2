import Engine
import Formats

/// `hero finetune` and `hero pretrain`: from a configuration to a folder of checkpoints, whatever the task.
public struct TrainingRun {
  private let configuration: RunConfiguration
  private let log: RunLog

  private let communicator: any Communicator

  /// - Parameter communicator: the ranks that train together.
  public init(
    _ configuration: RunConfiguration, log: RunLog, communicator: any Communicator = SoleCommunicator.shared
  ) {
    self.configuration = configuration
    self.log = log
    self.communicator = communicator
  }

  /// - Parameter resume: go on with the run in the output folder, or begin where there is none.
  public func run(resume: Bool, backend: any Backend) throws {
    try train(configuration.family.suite, resume: resume, backend: backend)
  }

  private func train<Suite: TaskSuite>(_: Suite.Type, resume: Bool, backend: any Backend) throws {
    let folder = RunFolder(path: try configuration.required(\.outputDirectory))
    if !resume, communicator.isFirst { try folder.requireUnused() }
    let suite = try Suite(configuration, log: log, communicator: communicator)
    let videos = try suite.openForTraining()
    let opened = try OpenedModel(configuration, featureWidth: try suite.featureWidth(of: videos), log: log)
    try suite.check(opened.shape)
    let model = Suite.Model(opened.training, backend: backend)
    let learning = try suite.learning(model, videos)
    let validated = try suite.validated(model, videos)
    try opened.begin(model.store, folder: folder, resume: resume, writes: communicator.isFirst)
    try Trainer(
      task: learning, configuration: configuration, folder: folder, log: log, communicator: communicator
    ) { step in
      try suite.validate(learning, validated, step: step, folder: folder)
    }.run(resume: resume)
  }
}
