import Engine
import Model

/// A run that was made before, by this program or by the reference, and is put to use.
struct RunMade {
  let folder: RunFolder
  /// With the options that overrule the run's.
  let context: RunContext

  /// - Parameters:
  ///   - path: the run's folder.
  ///   - task: the task, where the run does not say.
  ///   - arguments: options that overrule the run's.
  init(
    path: String, task: RunTask? = nil, arguments: [String], log: RunLog, communicator: any Communicator
  ) throws {
    folder = RunFolder(path: path)
    var configuration = try folder.configuration(task: task)
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
    let model = Suite.Model(opened.shape, backend: backend)
    try opened.load(model.store)
    return (model, label)
  }
}
