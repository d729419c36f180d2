import ArgumentParser
import Formats
import Metrics
import Model
import Training

/// `hero caption`: describes clips.
struct Caption: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write captions for clips of videos.",
    discussion: """
      Takes TVC's JSON lines (vid_name, clip_id, ts) and writes them with a caption each, in TVC's submission \
      format. Greedy decoding is the reference's; --beam searches more widely.

        hero caption --model-dir runs/tvc --ckpt-step best --target-clip tvc_val_release.jsonl \\
          --output captions.jsonl --score
      """)

  @Option(help: ArgumentHelp("Folder of the run.", valueName: "folder"), completion: .directory)
  var modelDir: String

  @Option(
    help: ArgumentHelp("A step, 'best', 'latest' or a file.", valueName: "checkpoint"), completion: .file())
  var ckptStep = "best"

  @Option(help: ArgumentHelp("JSON lines of the clips.", valueName: "file"), completion: .file())
  var targetClip: String

  @Option(help: ArgumentHelp("File to write.", valueName: "file"), completion: .file())
  var output: String

  @Flag(help: "Replace the file to write, if it is there.")
  var overwrite = false

  @Option(
    help: ArgumentHelp("Tokenizer; by default the one that made the stores.", valueName: "folder"),
    completion: .directory)
  var tokenizer: String?

  @OptionGroup var decoding: DecodingArguments

  @Option(help: "Tokens of a caption at most; by default the run's.")
  var maxGenStep: Int?

  @Option(help: "Videos a pass.")
  var batchSize: Int?

  @Flag(help: "Score the captions against those that the clips come with.")
  var score = false

  @Option(
    help: ArgumentHelp("METEOR 1.5's data, for synonyms and paraphrases.", valueName: "folder"),
    completion: .directory)
  var meteorData: String?

  @Flag(help: "Print the scores as JSON.")
  var json = false

  @OptionGroup var device: DeviceArguments
  @OptionGroup var profile: ProfileArguments

  @Argument(
    parsing: .allUnrecognized,
    help: ArgumentHelp("Options of the run to overrule, such as --vfeat-db.", valueName: "options"))
  var overrides: [String] = []

  func run() throws {
    let log = RunLog(rank: Processes.communicator.rank)
    // Before work begins; without --score the flag is refused.
    let meteor = score ? try meteorData.map { try MeteorResources(folder: $0) } : nil
    let (captions, clips) = try captions(log)
    log.info("captions: \(output)")
    if score {
      try CaptionScores.show(
        try CaptionScorer(captions, references: clips, meteor: meteor), json: json, log: log)
    }
  }

  /// Writes the captions.
  /// - Returns: them, and the clips.
  func captions(_ log: RunLog) throws -> (captions: [CaptionRow], clips: [CaptionRow]) {
    let options = try decoding.options()
    if let maxGenStep, maxGenStep < 1 { throw UsageError("--max-gen-step must be at least 1") }
    try BatchSize.require(batchSize)
    try FileConflicts.refuse(
      written: ["--output": output, "--profile": profile.profile],
      read: ["--target-clip": targetClip, "--ckpt-step": ckptStep])
    if !score {
      try FlagConflicts.refuse(
        ["--meteor-data": meteorData != nil, "--json": json], "there are scores with --score only")
    }
    let communicator = Processes.communicator
    let arguments = overrides + (maxGenStep.map { ["--max-gen-step", String($0)] } ?? [])
    let captioning = try CaptioningRun(
      path: modelDir, arguments: arguments, batchSize: batchSize, log: log, communicator: communicator)
    return try profile.follow(device) { backend in
      try captioning.run(
        checkpoint: ckptStep, clips: targetClip, output: output, overwrites: overwrite, tokenizer: tokenizer,
        options, backend: backend)
    }
  }
}

/// Prints caption scores.
enum CaptionScores {
  static func show(_ scores: CaptionScorer, json: Bool, log: RunLog) throws {
    if !scores.hasMeteorData {
      log.info(MetricsTable.noMeteorData)
    }
    if json {
      let object = JSONObject(scores.corpus.map { (key: $0.name, value: JSON.double($0.value)) })
      print(JSON.object(object).encoded(style: .python))
    } else {
      print(MetricsTable(scores, title: "captions").rendered())
    }
  }
}
