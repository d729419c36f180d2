import ArgumentParser
import Formats
import Metrics
import Training

extension RunTask: ExpressibleByArgument {}
extension Submission.Form: ExpressibleByArgument {}

/// A task that a run can be evaluated on: all but pre-training.
struct EvaluatedTask: ExpressibleByArgument {
  let task: RunTask

  init?(argument: String) {
    guard let task = RunTask.finetuning.first(where: { $0.rawValue == argument }) else { return nil }
    self.task = task
  }

  static var allValueStrings: [String] { RunTask.finetuning.map(\.rawValue) }
}

/// `hero eval`: measures a checkpoint on a split.
struct Eval: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure a checkpoint on a split, and write its predictions.",
    discussion: """
      Reads a folder that 'hero finetune' or the reference made, writes results_<split>/results_<checkpoint>_all.json \
      into it and prints the metrics. Results of an earlier evaluation stay: others are written beside them, as \
      results_<checkpoint>_all.2.json, unless --overwrite is given. A split without ground truth gets predictions only. Options of the run can be \
      overruled by flags, such as --nms-thd -1 or --full-eval-tasks VCMR VR.

        hero eval --task tvr --split val --query-txt-db txt_db/tvr_val.db --vfeat-db video_db/tv \\
          --sub-txt-db txt_db/tv_subtitles.db --output-dir runs/tvr --checkpoint best
        hero eval --task tvc --predictions captions.jsonl --references tvc_val_release.jsonl
        hero eval --predictions results_tvr_all.json --references tvr_val_release.jsonl
      """)

  @Option(help: "The task; by default what the run was trained for.")
  var task: EvaluatedTask?

  @Option(help: "The split: which videos of vid2dur_idx.json are candidates, and the name of the results.")
  var split = "val"

  @Option(
    name: [.long, .customLong("db")],
    help: ArgumentHelp(
      "The split's store of queries, questions, statements or captions.", valueName: "folder"),
    completion: .directory)
  var queryTxtDb: String?

  @Option(help: ArgumentHelp("Folder of the run.", valueName: "folder"), completion: .directory)
  var outputDir: String?

  @Option(
    help: ArgumentHelp(
      "Instead of a run: predictions to score, of any task, in hero's, the reference's, VALUE's or "
        + "QVHighlights' form.", valueName: "file"),
    completion: .file())
  var predictions: String?

  @Option(
    help: ArgumentHelp("The annotation with the truth, or a store made of it.", valueName: "path"),
    completion: .file())
  var references: String?

  @Option(
    name: .customLong("vid2dur-idx"),
    help: ArgumentHelp(
      "JSON file {split: {video: [seconds, number]}}: the candidates, in place of the subtitle store's; with "
        + "--predictions the numbers of videos that they do not name.",
      valueName: "file"),
    completion: .file())
  var vid2durIdx: String?

  @Option(
    help: ArgumentHelp("For captions: METEOR 1.5's data, for synonyms and paraphrases.", valueName: "folder"),
    completion: .directory)
  var meteorData: String?

  @Option(
    help: ArgumentHelp("A step, 'best', 'latest' or a file.", valueName: "checkpoint"), completion: .file())
  var checkpoint = "best"

  @Option(help: "Items a pass: questions, statements or videos, and of retrieval queries and videos.")
  var batchSize: Int?

  @Option(
    help: ArgumentHelp(
      "Also write the submission format; into a folder as results_TASK_SPLIT/results_CHECKPOINT_all.json.",
      valueName: "path"),
    completion: .file()
  )
  var submission: String?

  @Option(
    help: ArgumentHelp(
      "Whose submission format: the task's own, or VALUE's, whose EvaluationTools take neither names nor scores.",
      valueName: "form"))
  var submissionForm: Submission.Form?

  @Flag(help: "Replace the submission and results of an earlier evaluation, if they are there.")
  var overwrite = false

  @Flag(help: "Print the metrics as JSON, not as a table.")
  var json = false

  @OptionGroup var device: DeviceArguments
  @OptionGroup var profile: ProfileArguments

  @Argument(
    parsing: .allUnrecognized,
    help: ArgumentHelp(
      "Options of the run to overrule: --vfeat-db, --sub-txt-db, --nms-thd, --tokenizer (captions) …",
      valueName: "options"))
  var overrides: [String] = []

  func run() throws {
    let communicator = Processes.communicator
    let log = RunLog(rank: communicator.rank)
    if predictions != nil || references != nil {
      try Processes.requireSole("eval --predictions")
      return try scorePredictions(log)
    }
    guard submissionForm == nil || submission != nil else {
      throw UsageError("--submission-form goes with --submission")
    }
    let outcome = try outcome(log)
    if json {
      print(outcome.json.encoded(style: .python))
    } else {
      if let table = outcome.report.table { print(table.rendered()) }
      log.info("predictions: \(outcome.path)")
    }
  }

  /// Measures a run.
  func outcome(_ log: RunLog) throws -> EvaluationRun.Outcome {
    guard let queryTxtDb, let outputDir else { throw UsageError("give --query-txt-db and --output-dir") }
    if let batchSize, batchSize < 1 { throw UsageError("--batch-size must be at least 1") }
    guard !split.isEmpty, !split.contains("/") else {
      throw UsageError("--split must be a name, such as val, not '\(split)'")
    }
    let evaluation = try EvaluationRun(
      path: outputDir, task: task?.task, arguments: overrides, batchSize: batchSize,
      meteor: try meteorData.map { try MeteorResources(folder: $0) }, vid2durIdx: vid2durIdx, log: log,
      communicator: Processes.communicator)
    return try profile.follow(device) { backend in
      try evaluation.run(
        checkpoint: checkpoint, split: split, store: queryTxtDb,
        submission: submission.map { Submission($0, form: submissionForm ?? .task) },
        overwrites: overwrite, backend: backend)
    }
  }

  /// Scores any file of predictions; no model is needed.
  private func scorePredictions(_ log: RunLog) throws {
    guard let predictions, let references else {
      throw UsageError(
        "give --predictions and --references; 'hero eval' and 'hero caption' write predictions")
    }
    try FlagConflicts.refuse(
      [
        "--query-txt-db": queryTxtDb != nil, "--output-dir": outputDir != nil,
        "--submission-form": submissionForm != nil, "--checkpoint": checkpoint != "best",
        "--batch-size": batchSize != nil,
        "--device or --precision": device.isGiven, "--profile": profile.profile != nil,
        overrides.joined(separator: " "): !overrides.isEmpty,
      ], "--predictions are scored without a model")
    var scoring = PredictionScoring(predictions: predictions, references: references)
    (scoring.task, scoring.split) = (task?.task, split)
    scoring.vid2durIdx = vid2durIdx
    scoring.meteor = try meteorData.map { try MeteorResources(folder: $0) }
    if let submission { try OutputFile.require(submission, overwrites: overwrite) }
    let scores = try scoring.run(log: log)
    if let submission { try scoring.writeSubmission(to: submission) }
    if json {
      let object = JSONObject(scores.figures.map { (key: $0.name, value: JSON.double($0.value)) })
      print(JSON.object(object).encoded(style: .python))
    } else {
      print(scores.table.rendered())
    }
  }
}
