import ArgumentParser
import Engine
import Training

/// The options of commands that train: a JSON file, and a flag for each of its keys.
///
/// The keys come from ``RunOptions``; `discussion(for:)` adds their table to the command's help.
struct ConfigArguments: ParsableArguments {
  @Option(file: "JSON file of options, as the reference's config/*.json.")
  var config: String?

  @Flag(
    help: """
      Go on with the run in --output-dir from its last state, or begin where there is none; 'auto' may follow. The \
      reference does so unasked.
      """)
  var resume = false

  @Flag(help: "As --resume, also where options changed that change what is learnt.")
  var resumeChanged = false

  /// How the run begins: anew, resumed, or resumed with changed options.
  var beginning: TrainingRun.Beginning {
    resumeChanged ? .resumedWithChanges : resume ? .resumed : .anew
  }

  @Argument(
    parsing: .allUnrecognized,
    help: ArgumentHelp(
      "Any key of the file as a flag: --learning-rate 1e-4; see above.", valueName: "options"))
  var overrides: [String] = []

  /// Returns the configuration of the run.
  ///
  /// - Parameter task: the task, for a command that has only one.
  /// - Parameter log: receives warnings about the file.
  /// - Throws: `UsageError` for invalid flags, `DataError` for an invalid file.
  func load(task: RunTask? = nil, log: RunLog) throws -> RunConfiguration {
    let (configuration, warnings) = try RunConfiguration.load(task: task, file: config, arguments: overrides)
    warnings.forEach(log.warning)
    return configuration
  }

  /// Trains with the options.
  /// - Parameters:
  ///   - task: the task, for a command that has only one.
  ///   - follow: runs the work with its device.
  func train(
    task: RunTask? = nil, follow: ((any Backend) throws -> Void) throws -> Void
  ) throws {
    let communicator = Processes.communicator
    let log = RunLog(rank: communicator.rank)
    InterruptHandler.install(launched: communicator.size > 1)
    let configuration = try load(task: task, log: log)
    if communicator.size == 1 { try InterruptHandler.check() }
    let run = try TrainingRun(configuration, log: log, communicator: communicator)
    try follow { try run.run(beginning, backend: $0) }
  }

  /// Returns the part of a command's help that lists every key with its default.
  static func discussion(for families: Set<TaskFamily>) -> String {
    """
    Every key of the JSON file is also a flag, which overrides the file: --learning-rate 1e-4, \
    --learning-rate=1e-4; --compressed-db, --no-compressed-db; --betas 0.9 0.98.

    \(RunOptions.help(for: families))
    """
  }
}
