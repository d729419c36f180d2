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

        hero caption --model-dir runs/tvc --ckpt-step best \\
          --target-clip tvc_val_release.jsonl --output captions.jsonl --score
      """)

  @Option(folder: "Folder of the run.")
  var modelDir: String

  @Option(
    checkpoint: "A step, 'best', 'latest' or a file.",
    name: [.customLong("ckpt-step"), .customLong("checkpoint")])
  var ckptStep = "best"

  @Option(file: "JSON lines of the clips.")
  var targetClip: String

  @Option(file: "File to write.")
  var output: String

  @Flag(help: "Replace the file to write, if it is there.")
  var overwrite = false

  @Option(folder: "Tokenizer; by default the one that made the stores.")
  var tokenizer: String?

  @OptionGroup var decoding: DecodingArguments

  @Option(help: "Tokens of a caption at most; by default the run's.")
  var maxGenStep: Int?

  @Option(help: "Videos a pass.")
  var batchSize: Int?

  @Flag(help: "Score the captions against those that the clips come with.")
  var score = false

  @Option(folder: "METEOR 1.5's data, for synonyms and paraphrases.")
  var meteorData: String?

  @Flag(help: "Print the scores as JSON.")
  var json = false

  @OptionGroup var device: DeviceArguments
  @OptionGroup var profile: ProfileArguments

  @Argument(
    parsing: .allUnrecognized,
    help: ArgumentHelp("Options that override the saved ones, such as --vfeat-db.", valueName: "options"))
  var overrides: [String] = []

  func run() throws {
    let log = RunLog(rank: Processes.communicator.rank)
    // Read before the work begins. Without --score, the flag is refused below.
    let meteor = score ? try meteorData.map { try MeteorResources(folder: $0) } : nil
    let (captions, clips) = try captions(log)
    log.info("captions: \(output)")
    guard score else { return }
    let scores = try CaptionScorer(captions, references: clips, meteor: meteor)
    if !scores.hasMeteorData { log.info(MetricsTable.noMeteorData) }
    print(
      json
        ? JSON(figures: scores.corpus).encoded(style: .python)
        : MetricsTable(scores, title: "captions").rendered())
  }

  /// Writes the captions.
  /// - Returns: the captions and the clips.
  func captions(_ log: RunLog) throws -> (captions: [CaptionRow], clips: [CaptionRow]) {
    let options = try decoding.options()
    try BatchSize.require(batchSize)
    try FileConflicts.refuse(
      written: ["--output": output, "--profile": profile.profile],
      read: ["--target-clip": targetClip, "--ckpt-step": ckptStep])
    if !score {
      try FlagConflicts.refuse(
        ["--meteor-data": meteorData != nil, "--json": json], "there are scores with --score only")
    }
    var arguments = try RunArguments(overrides)
    if let maxGenStep { try arguments.set(\.maxGenerationSteps, maxGenStep) }
    let run = try SavedRun(
      path: modelDir, checkpoint: ckptStep, usual: .tvc, arguments, batchSize: batchSize, for: .description,
      log: log, communicator: Processes.communicator)
    return try profile.follow(device) { backend in
      try run.caption(
        targetClip, to: output, overwrites: overwrite, tokenizer: tokenizer, options, backend: backend)
    }
  }
}
