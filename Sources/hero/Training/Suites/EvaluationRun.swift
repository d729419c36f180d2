import Engine
import Formats
import Metrics

/// `hero eval`: an evaluation of checkpoints, of one run or several, on a split.
public struct EvaluationRun {
  /// The outcome of an evaluation.
  public struct Outcome {
    /// The path of the result file.
    public let path: String
    /// The predictions in the result file, with their figures.
    public let report: SplitReport

    /// The figures and the file's path as one object.
    public var json: JSON {
      var object: JSONObject = ["results": .string(path)]
      for (name, value) in report.scalars { object[name] = .double(value) }
      return .object(object)
    }
  }

  /// The run, and the runs whose scores are averaged with its scores.
  private let runs: [SavedRun]
  private var made: SavedRun { runs[0] }
  private var context: RunContext { made.context }
  /// The suffix that distinguishes the results of several runs.
  private let joining: String
  /// The prefix of the results' folder: the task's name, for a task of a run of several.
  private var part: String { made.configuration.isPart ? "\(task.rawValue)_" : "" }

  /// The task that the run was trained for.
  public var task: RunTask { made.configuration.task }

  /// - Parameters:
  ///   - runs: at least one. The scores of several are averaged, and the results go to the folder
  ///     of the first.
  ///   - name: the common name of several runs, such as `ensemble`, which ends the name of the
  ///     results' folder.
  /// - Throws: `UsageError` for options that mean nothing to the run's task, `DataError` for runs
  ///   that do not fit together.
  public init(_ runs: [SavedRun], named name: String? = nil) throws {
    self.runs = runs
    joining = name.map { "_" + $0 } ?? ""
    guard context.vid2durIdx == nil || Set<TaskFamily>.retrieval.contains(task.family) else {
      throw UsageError("--vid2dur-idx lists what is searched, and \(task.rawValue) searches nothing")
    }
    guard context.meteor == nil || task.family == .captioning else {
      throw UsageError("--meteor-data scores captions, and the run was trained for \(task.rawValue)")
    }
    try requireOneKind()
  }

  /// - Throws: `DataError` if the runs' scores are not of one kind.
  private func requireOneKind() throws {
    let mine = made.configuration
    for other in runs.dropFirst() {
      let theirs = other.configuration
      guard theirs.family == mine.family, theirs.task.annotation == mine.task.annotation else {
        throw DataError(
          "was trained for \(theirs.task.rawValue), \(made.folder.path) for \(mine.task.rawValue)",
          file: other.folder.path, cure: "Give runs of one task, or name it by --task")
      }
      guard theirs.frameInterval == mine.frameInterval, theirs.maxClipLength == mine.maxClipLength else {
        throw DataError(
          "has a frame every \(theirs.frameInterval) s and max_clip_len \(theirs.maxClipLength), \(made.folder.path) "
            + "\(mine.frameInterval) s and \(mine.maxClipLength)",
          file: other.folder.path, cure: "Give --vfeat-interval and --max-clip-len, which then hold for all")
      }
    }
  }

  /// - Parameters:
  ///   - store: the split's store of queries, questions, statements or captions.
  ///   - submission: what to write beside the results; nil for nothing.
  ///   - logits: a file for the scores that answers are chosen by; nil for none.
  ///   - overwrites: whether to replace existing files: those two, and the results of an earlier
  ///     evaluation. Otherwise new results go to a file beside the earlier ones.
  public func run(
    split: String, store: String, submission: Submission? = nil, logits: String? = nil,
    overwrites: Bool = false, backend: any Backend
  ) throws -> Outcome {
    guard logits == nil || [.questionAnswering, .inference].contains(task.family) else {
      throw UsageError(
        "--save-logits is for questions and statements, and the run was trained for \(task.rawValue)")
    }
    let isFirst = context.communicator.isFirst
    let label = made.checkpoint.label
    let submitted = submission?.path(task: task, split: split, checkpoint: label)
    if isFirst {
      if let submission, let submitted { try submission.require(submitted, overwrites: overwrites) }
      if let logits { try OutputFile.require(logits, overwrites: overwrites) }
      try made.folder.requireResults(split: part + split + joining)
    }
    if submission?.form == .value, task.findsWindows {
      throw UsageError("--submission-form value: VALUE has no task \(task.rawValue)")
    }
    guard let suite = made.suite as? any EvaluableSuite else {
      throw UsageError("a pre-trained model is evaluated by fine-tuning it")
    }
    let report = try evaluate(suite, split: split, store: store, backend: backend)
    let path = try write(report, split: split, overwrites: overwrites)
    if let submission, let submitted, isFirst {
      try submission.write(report, to: submitted, checkpoint: label)
    }
    if let logits, let scores = report.logits, isFirst { try AtomicFile.write(scores.pickled, to: logits) }
    return Outcome(path: path, report: report)
  }

  private func evaluate<Suite: EvaluableSuite>(
    _ suite: Suite, split: String, store: String, backend: any Backend
  ) throws -> SplitReport {
    // Runs of one kind have suites of one type.
    let members = try runs.compactMap { run in
      try (run.suite as? Suite).map { try run.open($0, store: store, backend: backend) }
    }
    for (model, _) in members.dropFirst() where model.vocabulary != members[0].model.vocabulary {
      throw DataError(
        "the runs' models know \(members[0].model.vocabulary) and \(model.vocabulary) words",
        cure: "Give runs of one tokenizer")
    }
    return try suite.evaluate(members, store: store, split: split)
  }

  /// Writes the predictions into the run's folder.
  /// - Returns: the path of the file.
  private func write(_ report: SplitReport, split: String, overwrites: Bool) throws -> String {
    let results = made.folder.evaluationResults(split: part + split + joining)
    let path = "\(results)/results_\(made.checkpoint.label)_all.\(task.resultEnding)"
    guard context.communicator.isFirst else { return path }
    try made.folder.make(results)
    guard !overwrites else {
      try report.write(path, form: .task)
      return path
    }
    let written = try OutputFile.writeBeside(path) { try report.write($0, form: .task) }
    if written != path {
      context.log.warning(
        "\(path) has other predictions of an earlier evaluation and is kept; these are in \(written). --overwrite "
          + "replaces it")
    }
    return written
  }
}
