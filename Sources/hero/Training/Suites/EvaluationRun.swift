import Engine
import Formats
import Metrics

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

  let made: RunMade

  /// - Parameters:
  ///   - path: the folder of a run of this program or of the reference.
  ///   - task: the task, where the run does not say.
  ///   - arguments: options that overrule the run's.
  ///   - batchSize: items a pass, in place of the run's; queries and videos of retrieval.
  ///   - meteor: what METEOR scores captions with; nil for words and stems alone.
  ///   - vid2durIdx: the file with the candidates of retrieval; nil for the subtitle store's.
  ///   - communicator: the ranks that the work is divided among.
  /// - Throws: `UsageError` for options that mean nothing to the run's task.
  public init(
    path: String, task: RunTask?, arguments: [String], batchSize: Int? = nil, meteor: MeteorResources? = nil,
    vid2durIdx: String? = nil, log: RunLog, communicator: any Communicator = SoleCommunicator.shared
  ) throws {
    made = try RunMade(
      path: path, task: task, arguments: arguments, batchSize: batchSize, for: .evaluation, log: log,
      communicator: communicator, meteor: meteor, vid2durIdx: vid2durIdx)
    guard vid2durIdx == nil || Set<TaskFamily>.retrieval.contains(self.task.family) else {
      throw UsageError("--vid2dur-idx lists what is searched, and \(self.task.rawValue) searches nothing")
    }
    guard meteor == nil || self.task.family == .captioning else {
      throw UsageError("--meteor-data scores captions, and the run was trained for \(self.task.rawValue)")
    }
  }

  /// What the run was trained for.
  public var task: RunTask { made.context.configuration.task }

  /// - Parameters:
  ///   - checkpoint: a step, `best`, `latest` or a file.
  ///   - store: the split's store of queries, questions, statements or captions.
  ///   - submission: what is written beside the results, if anything is.
  ///   - overwrites: whether files that are there may be replaced: the submission, and results of an earlier evaluation,
  ///     beside which others are written otherwise.
  public func run(
    checkpoint: String, split: String, store: String, submission: Submission? = nil, overwrites: Bool = false,
    backend: any Backend
  ) throws -> Outcome {
    let label = try made.folder.checkpoint(named: checkpoint).label
    let submitted = submission?.path(task: task, split: split, checkpoint: label)
    if made.context.communicator.isFirst {
      if let submission, let submitted { try submission.require(submitted, overwrites: overwrites) }
      try made.folder.requireResults(split: split)
    }
    if submission?.form == .value, task.findsWindows {
      throw UsageError("--submission-form value: VALUE has no task \(task.rawValue)")
    }
    guard let suite = made.context.configuration.family.suite as? any EvaluableSuite.Type else {
      throw UsageError("a pre-trained model is evaluated by fine-tuning it")
    }
    let (report, path) = try evaluate(
      suite, checkpoint: checkpoint, split: split, store: store, overwrites: overwrites, backend: backend)
    if let submission, let submitted, made.context.communicator.isFirst {
      try submission.write(report, to: submitted, checkpoint: label)
    }
    return Outcome(path: path, report: report)
  }

  private func evaluate<Suite: EvaluableSuite>(
    _: Suite.Type, checkpoint: String, split: String, store: String, overwrites: Bool, backend: any Backend
  ) throws -> (report: SplitReport, path: String) {
    let suite = try Suite(run: made.context)
    let videos = try suite.open(toEvaluate: store)
    let (model, label) = try made.model(
      of: suite, featureWidth: try suite.featureWidth(of: videos), checkpoint: checkpoint, backend: backend)
    let report = try suite.evaluate(model, videos, store: store, split: split)
    let results = made.folder.evaluationResults(split: split)
    if suite.communicator.isFirst { try made.folder.make(results) }
    let path = "\(results)/results_\(label)_all.\(task.resultEnding)"
    guard !overwrites, suite.communicator.isFirst else {
      try report.write(path, suite.communicator)
      return (report, path)
    }
    let written = try OutputFile.writeBeside(path) { try report.write($0, suite.communicator) }
    if written != path {
      suite.log.warning(
        "\(path) has other predictions of an earlier evaluation and is kept; these are in \(written). --overwrite "
          + "replaces it")
    }
    return (report, written)
  }
}
