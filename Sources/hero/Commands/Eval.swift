import ArgumentParser
import Formats
import Metrics
import Training

extension RunTask: ExpressibleByArgument {}

/// `hero eval`: measures a checkpoint on a split.
struct Eval: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure a checkpoint on a split, and write its predictions.",
    discussion: """
      Reads a folder that 'hero finetune' or the reference made, writes results_<split>/results_<checkpoint>_all.json \
      into it and prints the metrics. A split without ground truth gets predictions only. Options of the run can be \
      overruled by flags, such as --nms-thd -1 or --full-eval-tasks VCMR VR.

        hero eval --task tvr --split val --query-txt-db txt_db/tvr_val.db --vfeat-db video_db/tv \\
          --sub-txt-db txt_db/tv_subtitles.db --output-dir runs/tvr --checkpoint best
        hero eval --task tvc --predictions captions.jsonl --references tvc_val_release.jsonl
      """)

  @Option(help: "The task; by default what the run was trained for.")
  var task: RunTask?

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
    help: ArgumentHelp("Instead of a run: JSON lines with captions to score.", valueName: "file"),
    completion: .file())
  var predictions: String?

  @Option(help: ArgumentHelp("JSON lines with the true captions.", valueName: "file"), completion: .file())
  var references: String?

  @Option(
    help: ArgumentHelp("METEOR 1.5's data, for synonyms and paraphrases.", valueName: "folder"),
    completion: .directory)
  var meteorData: String?

  @Option(
    help: ArgumentHelp("A step, 'best', 'latest' or a file.", valueName: "checkpoint"), completion: .file())
  var checkpoint = "best"

  @Option(help: "Items a pass.")
  var batchSize: Int?

  @Option(
    help: ArgumentHelp("Also write what the evaluation server takes.", valueName: "file"), completion: .file()
  )
  var submission: String?

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
      return try scoreCaptions(log)
    }
    guard let queryTxtDb, let outputDir else { throw UsageError("give --query-txt-db and --output-dir") }
    var arguments = overrides
    if let batchSize {
      guard batchSize > 0 else { throw UsageError("--batch-size must be at least 1") }
      arguments += ["--val-batch-size", String(batchSize)]
    }
    let evaluation = try EvaluationRun(
      path: outputDir, task: task, arguments: arguments, log: log, communicator: communicator)
    let outcome = try profile.follow(device) { backend in
      try evaluation.run(
        checkpoint: checkpoint, split: split, store: queryTxtDb, submission: submission, backend: backend)
    }
    if json {
      print(outcome.json.encoded(style: .python))
    } else {
      if let table = outcome.report.table { print(table.rendered()) }
      log.info("predictions: \(outcome.path)")
    }
  }

  /// Scores any file of captions; no model is needed.
  private func scoreCaptions(_ log: RunLog) throws {
    guard let predictions, let references else {
      throw UsageError("give --predictions and --references; 'hero caption' writes predictions")
    }
    let meteor = try meteorData.map { try MeteorResources(folder: $0) }
    let rows = try CaptionRow.read(path: predictions)
    if let submission {
      try CaptionRow.write(rows, to: submission)
    }
    let scores = try CaptionScorer(rows, references: try CaptionRow.read(path: references), meteor: meteor)
    try CaptionScores.show(scores, json: json, log: log)
  }
}
