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

  /// The run, and those whose scores are averaged with its.
  private let members: [RunMade]
  var made: RunMade { members[0] }
  /// What the results of several runs are told apart by.
  private let joining: String

  /// Runs beside the first, and how they are called together.
  public struct Others {
    /// Their folders, with the options of each that overrule its own.
    public var runs: [(path: String, arguments: [String])]
    /// Such as `ensemble`: ends the name of the folder of the results.
    public var name: String

    public init(_ runs: [(path: String, arguments: [String])], name: String) {
      (self.runs, self.name) = (runs, name)
    }
  }

  /// - Parameters:
  ///   - path: the folder of a run of this program or of the reference.
  ///   - task: the task, where the run does not say.
  ///   - arguments: options that overrule the run's.
  ///   - others: runs whose scores are averaged with this one's.
  ///   - batchSize: items a pass, in place of the run's; queries and videos of retrieval.
  ///   - meteor: what METEOR scores captions with; nil for words and stems alone.
  ///   - vid2durIdx: the file with the candidates of retrieval; nil for the subtitle store's.
  ///   - communicator: the ranks that the work is divided among.
  /// - Throws: `UsageError` for options that mean nothing to the run's task, `DataError` for runs
  ///   that do not go together.
  public init(
    path: String, task: RunTask?, arguments: [String], others: Others? = nil, batchSize: Int? = nil,
    meteor: MeteorResources? = nil, vid2durIdx: String? = nil, log: RunLog,
    communicator: any Communicator = SoleCommunicator.shared
  ) throws {
    members = try ([(path, arguments)] + (others?.runs ?? [])).map { path, arguments in
      try RunMade(
        path: path, task: task, arguments: arguments, batchSize: batchSize, for: .evaluation, log: log,
        communicator: communicator, meteor: meteor, vid2durIdx: vid2durIdx)
    }
    joining = others.map { "_" + $0.name } ?? ""
    guard vid2durIdx == nil || Set<TaskFamily>.retrieval.contains(self.task.family) else {
      throw UsageError("--vid2dur-idx lists what is searched, and \(self.task.rawValue) searches nothing")
    }
    guard meteor == nil || self.task.family == .captioning else {
      throw UsageError("--meteor-data scores captions, and the run was trained for \(self.task.rawValue)")
    }
    try requireOneKind()
  }

  /// - Throws: `DataError` where the runs' scores are not of one kind.
  private func requireOneKind() throws {
    let mine = made.context.configuration
    for other in members.dropFirst() {
      let theirs = other.context.configuration
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

  /// What the run was trained for.
  public var task: RunTask { made.context.configuration.task }

  /// - Parameters:
  ///   - checkpoint: a step, `best`, `latest` or a file.
  ///   - others: the checkpoints of the other runs; nil for `checkpoint` of each.
  ///   - store: the split's store of queries, questions, statements or captions.
  ///   - submission: what is written beside the results, if anything is.
  ///   - logits: a file for the scores that answers were chosen by, if one is wanted.
  ///   - overwrites: whether files that are there may be replaced: those two, and results of an
  ///     earlier evaluation, beside which others are written otherwise.
  public func run(
    checkpoint: String, others: [String]? = nil, split: String, store: String, submission: Submission? = nil,
    logits: String? = nil, overwrites: Bool = false, backend: any Backend
  ) throws -> Outcome {
    guard logits == nil || [.questionAnswering, .inference].contains(task.family) else {
      throw UsageError(
        "--save-logits is for questions and statements, and the run was trained for \(task.rawValue)")
    }
    let label = try made.folder.checkpoint(named: checkpoint).label
    let submitted = submission?.path(task: task, split: split, checkpoint: label)
    if made.context.communicator.isFirst {
      if let submission, let submitted { try submission.require(submitted, overwrites: overwrites) }
      if let logits { try OutputFile.require(logits, overwrites: overwrites) }
      try made.folder.requireResults(split: split + joining)
    }
    if submission?.form == .value, task.findsWindows {
      throw UsageError("--submission-form value: VALUE has no task \(task.rawValue)")
    }
    guard let suite = made.context.configuration.family.suite as? any EvaluableSuite.Type else {
      throw UsageError("a pre-trained model is evaluated by fine-tuning it")
    }
    let checkpoints = [checkpoint] + (others ?? members.dropFirst().map { _ in checkpoint })
    let (report, path) = try evaluate(
      suite, checkpoints: checkpoints, split: split, store: store, overwrites: overwrites, backend: backend)
    if let submission, let submitted, made.context.communicator.isFirst {
      try submission.write(report, to: submitted, checkpoint: label)
    }
    if let logits, let scores = report.logits, made.context.communicator.isFirst {
      try AtomicFile.write(scores.pickled, to: logits)
    }
    return Outcome(path: path, report: report)
  }

  private func evaluate<Suite: EvaluableSuite>(
    _: Suite.Type, checkpoints: [String], split: String, store: String, overwrites: Bool,
    backend: any Backend
  ) throws -> (report: SplitReport, path: String) {
    let opened = try zip(members, checkpoints).map { made, checkpoint in
      let suite = try Suite(run: made.context)
      let videos = try suite.open(toEvaluate: store)
      let (model, label) = try made.model(
        of: suite, featureWidth: try suite.featureWidth(of: videos), checkpoint: checkpoint, backend: backend)
      return (suite: suite, videos: videos, model: model, label: label)
    }
    let (suite, label) = (opened[0].suite, opened[0].label)
    for other in opened.dropFirst() where other.model.vocabulary != opened[0].model.vocabulary {
      throw DataError(
        "the runs' models know \(opened[0].model.vocabulary) and \(other.model.vocabulary) words",
        cure: "Give runs of one tokenizer")
    }
    let report = try suite.evaluate(
      opened.map { (model: $0.model, videos: $0.videos) }, store: store, split: split)
    let results = made.folder.evaluationResults(split: split + joining)
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
