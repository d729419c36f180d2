import ArgumentParser
import Corpus
import Formats
import Search
import Training

/// `hero index`: encodes videos once, to be searched.
struct IndexCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "index",
    abstract: "Encode videos into a file that 'hero search' and 'hero serve' search.",
    discussion: """
      The index holds every video's encoded frames (bfloat16 and codes of one bit an element), its subtitles and the \
      path of its file. Videos that it lacks are added to an index that is there; Ctrl-C keeps what was encoded. An \
      index belongs to one model: with another it is refused.

        hero index --model-dir runs/tvr --vfeat-db video_db/tv --sub-txt-db txt_db/tv_subtitles.db --output tv.index

      From videos themselves, with the subtitles that lie beside them (clip.mp4, clip.en.srt): features and stores are made \
      first, in OUTPUT.work, and what is there is kept.

        hero index --model-dir runs/tvr --videos clips --resnet resnet152.pth --slowfast SLOWFAST_8x8_R50.pkl \\
          --tokenizer roberta-base --output clips.index
      """)

  @Option(
    help: ArgumentHelp("Folder of the run whose model encodes.", valueName: "folder"), completion: .directory)
  var modelDir: String?

  @Option(
    help: ArgumentHelp("A step, 'best', 'latest' or a file.", valueName: "checkpoint"), completion: .file())
  var checkpoint = "best"

  @Option(
    help: ArgumentHelp("Folder of videos to index, in place of stores.", valueName: "folder"),
    completion: .directory)
  var videos: String?

  @Option(
    help: ArgumentHelp("For --videos: weights of torchvision's ResNet-152.", valueName: "file"),
    completion: .file())
  var resnet: String?

  @Option(
    help: ArgumentHelp("For --videos: weights of SlowFast 8x8 R50.", valueName: "file"), completion: .file())
  var slowfast: String?

  @Option(help: ArgumentHelp("Feature store.", valueName: "folder"), completion: .directory)
  var vfeatDb: String?

  @Option(
    help: ArgumentHelp("Subtitle store; without it frames alone are encoded.", valueName: "folder"),
    completion: .directory)
  var subTxtDb: String?

  @Option(
    help: ArgumentHelp(
      "Folder with the files of the videos, each named after its video, to be played.", valueName: "folder"),
    completion: .directory)
  var videoFiles: String?

  @Option(help: ArgumentHelp("The index to make or to add to.", valueName: "file"), completion: .file())
  var output: String

  @Option(
    help: ArgumentHelp("Tokenizer; by default the one that made the subtitle store.", valueName: "folder"),
    completion: .directory)
  var tokenizer: String?

  @Option(help: "Videos a pass.")
  var batchSize = 16

  @Flag(help: "Add nothing: read the whole index and compare it with its hashes.")
  var check = false

  @OptionGroup var device: DeviceArguments

  @Argument(
    parsing: .allUnrecognized,
    help: ArgumentHelp("Options of the run to overrule, such as --vfeat-interval.", valueName: "options"))
  var overrides: [String] = []

  func run() throws {
    InterruptHandler.install()
    if check { return try checkIndex() }
    guard batchSize > 0 else { throw UsageError("--batch-size must be at least 1") }
    guard let modelDir, (videos == nil) != (vfeatDb == nil) else {
      throw UsageError("give --model-dir, and one of --videos and --vfeat-db")
    }
    let log = RunLog()
    let store = try subTxtDb.map { try SubtitleStore(path: $0) }
    guard let tokenizer = tokenizer ?? store?.meta.tokenizer else {
      throw UsageError("give --tokenizer, the folder with vocab.json and merges.txt")
    }
    let model = try SearchModel(
      folder: modelDir, checkpoint: checkpoint, tokenizer: tokenizer, arguments: overrides, log: log,
      backend: try device.open())
    var stores = (features: vfeatDb ?? "", subtitles: subTxtDb)
    var durations: [Name: Double] = [:]
    if let videos {
      guard let resnet, let slowfast else { throw UsageError("--videos needs --resnet and --slowfast") }
      let own = OwnVideos(
        videos: videos, index: IndexWork(index: output), resnet: resnet, slowfast: slowfast,
        frameLength: model.head.frameInterval, tokenizer: tokenizer)
      try own.requireFeatures(ofWidth: model.model.configuration.featureWidth)
      stores = try own.prepare()
      durations = try own.durations()
    }
    let media = try (videoFiles ?? videos).map { try MediaFolder(path: $0) }
    let reader = try model.opened.reader(
      features: stores.features, subtitles: stores.subtitles, cls: model.tokenizer.cls)
    let indexing = Indexing(path: output, model: model, reader: reader, durations: durations) {
      media?.file(of: $0)
    }
    let report = try IndexProgress.follow { progress in
      try indexing.run(batchSize: batchSize, onSkip: { log.warning("left out: \($0)") }, progress: progress)
    }
    let index = try IndexFile(path: output)
    guard index.count > 0 || report.skipped == 0 else {
      throw DataError(
        "all \(report.skipped) videos were left out", file: output, cure: "See the warnings for the reasons")
    }
    print(
      "\(output): \(report.added) videos added, \(report.known) were there, \(report.skipped) left out; "
        + "\(index.count) videos, \(index.rows) frames, \(index.length >> 20) MB")
  }

  private func checkIndex() throws {
    let index = try IndexFile(path: output)
    try ProgressReporter.follow("Checking", total: index.count, unit: "videos") {
      try index.check(progress: $0)
    }
    print("\(output): \(index.count) videos, \(index.rows) frames, \(index.length >> 20) MB, all as written")
  }
}

/// Progress of work whose size is known when it begins.
enum IndexProgress {
  static func follow<Result>(_ work: ((Int, Int) throws -> Void) throws -> Result) throws -> Result {
    var reporter: ProgressReporter?
    var before = 0
    let result = try work { done, total in
      if reporter == nil { reporter = ProgressReporter("Encoding", total: total, unit: "videos") }
      reporter?.advance(by: done - before)
      before = done
      try InterruptHandler.check()
    }
    reporter?.finish()
    return result
  }
}
