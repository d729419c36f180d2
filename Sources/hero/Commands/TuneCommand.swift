import ArgumentParser
import Formats
import Foundation
import Training

/// `hero tune`: chooses a run's ranking options on a split with known answers.
struct TuneCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tune",
    abstract:
      "Choose a run's options of ranking on a validation split, and write them for 'hero eval --config'.",
    discussion: """
      Encodes the split once. Then tries values of q2c_alpha, max_vcmr_video, max_pred_l, min_pred_l and nms_thd, one \
      option after another, until none makes the measure grow; of moments in given videos the last three. What is chosen \
      on some queries gains less on others: 'gain' of the halves is measured on the videos that the options were not \
      chosen on.

        hero tune --query-txt-db txt_db/tvr_val.db --output-dir runs/tvr \\
          --output runs/tvr/tuned.json
        hero eval --config runs/tvr/tuned.json --split test \\
          --query-txt-db txt_db/tvr_test.db --output-dir runs/tvr
      """)

  @Option(help: "The split: which videos of vid2dur_idx.json are candidates.")
  var split = "val"

  @Option(folder: "The split's store of queries.", name: [.long, .customLong("db")])
  var queryTxtDb: String

  @Option(folder: "Folder of the run.")
  var outputDir: String

  @Option(checkpoint: "A step, 'best', 'latest' or a file.")
  var checkpoint = "best"

  @Option(
    help: ArgumentHelp(
      "The figure that is to grow, such as VCMR_0.5-r10, SVMR_0.7-r1 or MR-full-mAP; by default the one that tells the best checkpoint.",
      valueName: "name"))
  var measure: String?

  @Option(file: "JSON file of the options to write.")
  var output: String

  @Option(
    file: "JSON file {split: {video: [seconds, number]}}: the candidates, in place of the subtitle store's.",
    name: .customLong("vid2dur-idx"))
  var vid2durIdx: String?

  @Flag(help: "Print options and gains as JSON, not as tables.")
  var json = false

  @OptionGroup var device: DeviceArguments

  @Argument(
    parsing: .allUnrecognized,
    help: ArgumentHelp(
      "Options that override the saved ones: --vfeat-db, --sub-txt-db …; those of ranking are where the search begins.",
      valueName: "options"))
  var overrides: [String] = []

  func run() throws {
    try Processes.requireSole("tune")
    InterruptHandler.install()
    try OutputFile.require(output, overwrites: false, cure: "Give another name")
    try FileConflicts.refuse(
      written: ["--output": output], read: ["--vid2dur-idx": vid2durIdx, "--checkpoint": checkpoint])
    let log = RunLog()
    let saved = try SavedRun(
      path: outputDir, checkpoint: checkpoint, try RunArguments(overrides), for: .tuning, log: log,
      vid2durIdx: vid2durIdx)
    let tuning = try RetrievalTuning(saved, measure: measure)
    let outcome = try tuning.run(split: split, store: queryTxtDb, backend: try device.open())
    try OutputFile.require(output, overwrites: false, cure: "Give another name")
    try AtomicFile.write(outcome.file.encoded(style: .python) + "\n", to: output)
    if json {
      print(outcome.json.encoded(style: .python))
    } else {
      for table in outcome.tables { print(table.rendered()) }
    }
    if let gain = outcome.honestGain, gain <= 0 {
      log.warning(
        String(
          format: "on videos that nothing was chosen on the options gain %+.2f: keep the run's own", gain))
    } else if outcome.honestGain == nil {
      log.warning("\(queryTxtDb): all queries are of one half of the videos, so that no gain can be told")
    }
    log.info("options: \(output), for hero eval --config")
  }
}
