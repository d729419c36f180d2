import ArgumentParser
import Corpus
import Formats
import Metrics
import Training

extension RunTask: ExpressibleByArgument {}
extension Submission.Form: ExpressibleByArgument {}

/// A task that a run can be evaluated on: any but pre-training.
struct EvaluatedTask: ExpressibleByArgument {
  let task: RunTask

  init?(argument: String) {
    guard let task = RunTask(rawValue: argument), task.family.isSingle else { return nil }
    self.task = task
  }

  static var allValueStrings: [String] { RunTask.evaluated.map(\.rawValue) }
}

/// `hero eval`: measures a checkpoint on a split.
struct Eval: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure a checkpoint on a split, and write its predictions.",
    discussion: """
      Reads a folder that 'hero finetune' or the reference made, writes results_<split>/results_<checkpoint>_all.json \
      into it and prints the metrics. Results of an earlier evaluation stay: others are written beside them, as \
      results_<checkpoint>_all.2.json, unless --overwrite is given. A split without ground truth gets predictions only. \
      Flags override the saved options: --nms-thd -1, --full-eval-tasks VCMR VR.

        hero eval --task tvr --split val --query-txt-db txt_db/tvr_val.db \\
          --vfeat-db video_db/tv --sub-txt-db txt_db/tv_subtitles.db \\
          --output-dir runs/tvr --checkpoint best
        hero eval --task tvc --predictions captions.jsonl \\
          --references tvc_val_release.jsonl
        hero eval --predictions results_tvr_all.json \\
          --references tvr_val_release.jsonl

      Several runs answer together by --ensemble, which averages what they score by: probabilities of answers, truths and \
      moments, weights of videos, scores of words. --video-only-model-dir and --sub-only-model-dir are VALUE's two \
      streams: one run reads frames, the other subtitles. The results lie in the first run's folder.

        hero eval --ensemble runs/tvqa_1 runs/tvqa_2 --split val \\
          --query-txt-db txt_db/tvqa_val.db

      --config takes such options from a JSON file, as 'hero tune' writes it. Flags override it.
      """)

  @Option(help: "The task; by default what the run was trained for.")
  var task: EvaluatedTask?

  @Option(help: "The split: which videos of vid2dur_idx.json are candidates, and the name of the results.")
  var split = "val"

  @Option(
    folder: "The split's store of queries, questions, statements or captions.",
    name: [.long, .customLong("db")])
  var queryTxtDb: String?

  @Option(folder: "Folder of the run.")
  var outputDir: String?

  @Option(file: "JSON file of options that override the saved ones, as 'hero tune' writes it.")
  var config: String?

  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp(
      "Instead of --output-dir: folders of runs of one task, whose scores are averaged.", valueName: "folder"),
    completion: .directory)
  var ensemble: [String] = []

  @Option(folder: "Of two streams the run that reads frames alone.")
  var videoOnlyModelDir: String?

  @Option(folder: "Of two streams the run that reads subtitles alone.")
  var subOnlyModelDir: String?

  @Option(file: "The checkpoint of --video-only-model-dir, else --checkpoint.", "checkpoint")
  var videoOnlyCheckpoint: String?

  @Option(file: "The checkpoint of --sub-only-model-dir, else --checkpoint.", "checkpoint")
  var subOnlyCheckpoint: String?

  @Option(
    file: "Instead of a run: predictions to score, of any task, in hero's, the reference's, VALUE's or "
      + "QVHighlights' form.")
  var predictions: String?

  @Option(file: "The annotation with the truth, or a store made of it.", "path")
  var references: String?

  @Option(
    file:
      "JSON file {split: {video: [seconds, number]}}: the candidates, in place of the subtitle store's; with "
      + "--predictions the numbers of videos that they do not name.", name: .customLong("vid2dur-idx"))
  var vid2durIdx: String?

  @Option(folder: "For captions: METEOR 1.5's data, for synonyms and paraphrases.")
  var meteorData: String?

  @Option(checkpoint: "A step, 'best', 'latest' or a file.")
  var checkpoint = "best"

  @Option(help: "Items a pass: questions, statements or videos, and of retrieval queries and videos.")
  var batchSize: Int?

  @Option(
    file:
      "Also write the submission format; into a folder as results_TASK_SPLIT/results_CHECKPOINT_all.json.",
    "path")
  var submission: String?

  @Option(
    file: "Also write what answers to questions and statements were chosen by, pickled as the reference does."
  )
  var saveLogits: String?

  @Option(
    help: ArgumentHelp(
      "Whose submission format: the task's own, or VALUE's, whose EvaluationTools take neither names nor scores.",
      valueName: "form"))
  var submissionForm: Submission.Form?

  @Flag(help: "Replace the submission, the logits and results of an earlier evaluation, if they are there.")
  var overwrite = false

  @Flag(help: "Print the metrics as JSON, not as a table.")
  var json = false

  @OptionGroup var device: DeviceArguments
  @OptionGroup var profile: ProfileArguments

  @Argument(
    parsing: .allUnrecognized,
    help: ArgumentHelp(
      "Options that override the saved ones: --vfeat-db, --sub-txt-db, --nms-thd, --tokenizer (captions) …",
      valueName: "options"))
  var overrides: [String] = []

  func run() throws {
    let communicator = Processes.communicator
    let log = RunLog(rank: communicator.rank)
    try FileConflicts.refuse(
      written: ["--submission": submission, "--save-logits": saveLogits, "--profile": profile.profile],
      read: [
        "--predictions": predictions, "--references": references, "--vid2dur-idx": vid2durIdx,
        "--checkpoint": checkpoint, "--config": config,
      ])
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

  /// Returns the runs to measure, and the common name of several.
  private func runs(_ log: RunLog) throws -> (runs: [SavedRun], name: String?) {
    let streams = [videoOnlyModelDir, subOnlyModelDir]
    let ways = [outputDir != nil, !ensemble.isEmpty, streams.contains { $0 != nil }]
    guard ways.count(where: { $0 }) < 2 else {
      throw UsageError(
        "give one of --output-dir, --ensemble, and --video-only-model-dir with --sub-only-model-dir")
    }
    guard ways[2] || (videoOnlyCheckpoint == nil && subOnlyCheckpoint == nil) else {
      throw UsageError(
        "--video-only-checkpoint and --sub-only-checkpoint go with --video-only-model-dir and --sub-only-model-dir"
      )
    }
    let meteor = try meteorData.map { try MeteorResources(folder: $0) }
    var given = try config.map { try RunArguments(file: $0) } ?? RunArguments()
    given.append(try RunArguments(overrides))
    let stores = OpenedStores()
    func saved(_ path: String, _ own: String? = nil, _ channels: VideoChannels? = nil) throws -> SavedRun {
      let run = try SavedRun(
        path: path, checkpoint: own ?? checkpoint, task: task?.task, given, batchSize: batchSize,
        for: .evaluation, log: log, communicator: Processes.communicator, meteor: meteor,
        vid2durIdx: vid2durIdx, stores: stores)
      if let channels { try run.require(channels) }
      return run
    }
    if let outputDir { return ([try saved(outputDir)], nil) }
    if ways[2] {
      guard let videoOnlyModelDir, let subOnlyModelDir else {
        throw UsageError(
          "give both of --video-only-model-dir and --sub-only-model-dir, or --output-dir for one run")
      }
      let video = try saved(videoOnlyModelDir, videoOnlyCheckpoint, .video)
      return ([video, try saved(subOnlyModelDir, subOnlyCheckpoint, .subtitles)], "two_stream")
    }
    guard !ensemble.isEmpty else { throw UsageError("give --query-txt-db and --output-dir") }
    guard ensemble.count > 1 else {
      throw UsageError("--ensemble takes two runs or more; give one as --output-dir")
    }
    for (place, run) in ensemble.enumerated() {
      if let other = ensemble[(place + 1)...].first(where: { OutputFile.isSame(run, $0) }) {
        throw UsageError("--ensemble names one run twice: \(run) and \(other), which would count double")
      }
    }
    return (try ensemble.map { try saved($0) }, "ensemble")
  }

  /// Measures a run, or several as an ensemble.
  func outcome(_ log: RunLog) throws -> EvaluationRun.Outcome {
    try BatchSize.require(batchSize)
    guard !split.isEmpty, !split.contains("/") else {
      throw UsageError("--split must be a name, such as val, not '\(split)'")
    }
    guard let queryTxtDb else { throw UsageError("give --query-txt-db and --output-dir") }
    let (runs, name) = try runs(log)
    let evaluation = try EvaluationRun(runs, named: name)
    return try profile.follow(device) { backend in
      try evaluation.run(
        split: split, store: queryTxtDb,
        submission: submission.map { Submission($0, form: submissionForm ?? .task) }, logits: saveLogits,
        overwrites: overwrite, backend: backend)
    }
  }

  /// Scores a file of predictions without a model.
  private func scorePredictions(_ log: RunLog) throws {
    guard let predictions, let references else {
      throw UsageError(
        "give --predictions and --references; 'hero eval' and 'hero caption' write predictions")
    }
    try FlagConflicts.refuse(
      [
        "--query-txt-db": queryTxtDb != nil, "--output-dir": outputDir != nil, "--config": config != nil,
        "--ensemble": !ensemble.isEmpty, "--save-logits": saveLogits != nil,
        "--video-only-model-dir": videoOnlyModelDir != nil, "--sub-only-model-dir": subOnlyModelDir != nil,
        "--video-only-checkpoint": videoOnlyCheckpoint != nil,
        "--sub-only-checkpoint": subOnlyCheckpoint != nil, "--submission-form": submissionForm != nil,
        "--checkpoint": checkpoint != "best", "--batch-size": batchSize != nil,
        "--device or --precision": device.isGiven, "--profile": profile.profile != nil,
        overrides.joined(separator: " "): !overrides.isEmpty,
      ], "--predictions are scored without a model")
    try FlagConflicts.refuse(
      ["--overwrite": overwrite && submission == nil], "nothing is written without --submission")
    var scoring = PredictionScoring(predictions: predictions, references: references)
    (scoring.task, scoring.split) = (task?.task, split)
    scoring.vid2durIdx = vid2durIdx
    scoring.meteor = try meteorData.map { try MeteorResources(folder: $0) }
    if let submission { try OutputFile.require(submission, overwrites: overwrite) }
    let scores = try scoring.run(log: log)
    if let submission { try scoring.writeSubmission(to: submission) }
    print(json ? JSON(figures: scores.figures).encoded(style: .python) : scores.table.rendered())
  }
}
