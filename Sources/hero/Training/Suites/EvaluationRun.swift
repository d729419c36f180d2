import Engine
import Formats

/// `hero eval`: a checkpoint of a run against a split.
public struct EvaluationRun {
  /// What an evaluation leaves.
  public struct Outcome {
    /// The result file.
    public let path: String
    /// What stands in it, measured.
    public let report: SplitReport

    /// The figures and the file's path as one object.
    public var json: JSON {
      var object: JSONObject = ["results": .string(path)]
      for (name, value) in report.scalars { object[name] = .double(value) }
      return .object(object)
    }
  }

  /// The run's options, with those that the evaluation overrules.
  public var configuration: RunConfiguration
  private let folder: RunFolder
  private let log: RunLog
  private let communicator: any Communicator

  /// - Parameters:
  ///   - path: the folder of a run of this program or of the reference.
  ///   - task: the task, where the run does not say.
  ///   - arguments: options that overrule the run's.
  ///   - communicator: the ranks that the work is divided among.
  public init(
    path: String, task: RunTask?, arguments: [String], log: RunLog,
    communicator: any Communicator = SoleCommunicator.shared
  ) throws {
    self.communicator = communicator
    folder = RunFolder(path: path)
    configuration = try folder.configuration(task: task)
    try configuration.apply(try RunArguments(arguments))
    try configuration.validate()
    self.log = log
  }

  /// - Parameters:
  ///   - checkpoint: a step, `best`, `latest` or a file.
  ///   - store: the split's store of queries, questions, statements or captions.
  ///   - submission: a file for the evaluation server, if one is wanted.
  public func run(
    checkpoint: String, split: String, store: String, submission: String? = nil, backend: any Backend
  ) throws -> Outcome {
    guard let suite = configuration.family.suite as? any EvaluableSuite.Type else {
      throw UsageError("a pre-trained model is evaluated by fine-tuning it")
    }
    let (report, path) = try evaluate(
      suite, checkpoint: checkpoint, split: split, store: store, backend: backend)
    if let submission { try report.write(submission, communicator) }
    return Outcome(path: path, report: report)
  }

  private func evaluate<Suite: EvaluableSuite>(
    _: Suite.Type, checkpoint: String, split: String, store: String, backend: any Backend
  ) throws -> (report: SplitReport, path: String) {
    let suite = try Suite(configuration, log: log, communicator: communicator)
    let (file, label) = try folder.checkpoint(named: checkpoint)
    let videos = try suite.open(toEvaluate: store)
    let opened = try OpenedModel(
      configuration, featureWidth: try suite.featureWidth(of: videos), folder: folder, checkpoint: file,
      log: log)
    try suite.check(opened.shape)
    let model = Suite.Model(opened.shape, backend: backend)
    try opened.load(model.store)
    let report = try suite.evaluate(model, videos, store: store, split: split)
    let results = folder.evaluationResults(split: split)
    if communicator.isFirst { try folder.make(results) }
    let path = "\(results)/results_\(label)_all.\(Suite.resultEnding)"
    try report.write(path, communicator)
    return (report, path)
  }
}
