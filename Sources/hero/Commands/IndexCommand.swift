import ArgumentParser
import Corpus
import Formats
import Foundation
import Search
import Training
import Vision

/// `hero index`: encodes videos once, for many searches.
struct IndexCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "index",
    abstract: "Encode videos into a file that 'hero search' and 'hero serve' search.",
    discussion: """
      The index holds every video's encoded frames (bfloat16 and codes of one bit an element), its subtitles and the \
      path of its file. A video that is longer than the model reads is encoded as windows that overlap by the longest \
      moment. Ctrl-C keeps what was encoded. An index belongs to one model: with another it is refused.

      The same command brings an index up to date: it adds the videos that the index lacks, encodes those anew whose \
      frames or subtitles have changed, notes where files have moved to, and removes the videos whose files are gone from \
      a folder that still has others.

        hero index --model-dir runs/tvr --vfeat-db video_db/tv \\
          --sub-txt-db txt_db/tv_subtitles.db --output tv.index

      From videos themselves, with the subtitles that lie beside them (clip.mp4, clip.en.srt): features and stores are made \
      first, in OUTPUT.work, and what is there is kept.

        hero index --model-dir runs/tvr --videos clips --resnet resnet152.pth \\
          --slowfast SLOWFAST_8x8_R50.pkl --tokenizer roberta-base \\
          --output clips.index

      Without a trained run: CLIP's weights alone, with its vocabulary beside them. 'hero search' then compares the query \
      with the frames, and with what is said.

        hero index --videos clips --clip ViT-B-32 --output clips.index
        hero index --list --output clips.index
      """)

  @Option(folder: "Folder of the run whose model encodes.")
  var modelDir: String?

  @Option(checkpoint: "A step, 'best', 'latest' or a file.")
  var checkpoint = "best"

  @Option(folder: "Folder of videos to index, in place of stores.")
  var videos: String?

  @Option(file: "For --videos: weights of torchvision's ResNet-152.")
  var resnet: String?

  @Option(file: "For --videos: weights of SlowFast 8x8 R50.")
  var slowfast: String?

  @Option(
    file: "For --videos: weights of MIL-NCE's S3D, s3d_howto100m.pth.")
  var s3d: String?

  @Option(
    file:
      "For --videos: CLIP's weights, OpenAI's .pt, Hugging Face's folder or open_clip's. Without --model-dir they alone encode."
  )
  var clip: String?

  @OptionGroup var clipWords: CLIPArguments

  @Option(
    help: ArgumentHelp(
      "For --clip without --model-dir: seconds between frames (default: 1.5).", valueName: "seconds"))
  var frameLength: DecimalNumber?

  @Option(folder: "Feature store.")
  var vfeatDb: String?

  @Option(folder: "Subtitle store; without it frames alone are encoded.")
  var subTxtDb: String?

  @Option(folder: "Folder with the files of the videos, each named after its video, to be played.")
  var videoFiles: String?

  @Option(file: "The index to make or to add to.")
  var output: String

  @Option(folder: "Tokenizer; by default the one that made the subtitle store.")
  var tokenizer: String?

  @Option(help: "Videos a pass.")
  var batchSize = 16

  @Option(
    help: ArgumentHelp(
      "For --videos: what subtitle files are in that are not Unicode, such as CP1251; guessed by default.",
      valueName: "name"))
  var encoding: String?

  @Option(
    file:
      "For --videos: a model of whisper.cpp (ggml-base.bin), whose program writes subtitles for videos that have none."
  )
  var transcribe: String?

  @Flag(help: "Remove every video whose file is missing, also where its whole folder is.")
  var remove = false

  @Flag(
    help:
      "Change nothing: show the videos, how long they are, where their files are and whether these have changed."
  )
  var list = false

  @Flag(
    help: "Change nothing: compare the whole index with its hashes, and its videos with their files.")
  var check = false

  @Flag(help: "Print what was done, or the list, as JSON.")
  var json = false

  @OptionGroup var device: DeviceArguments

  @Argument(
    parsing: .allUnrecognized,
    help: ArgumentHelp(
      "Options that override the saved ones, such as --vfeat-interval.", valueName: "options"))
  var overrides: [String] = []

  func run() throws {
    InterruptHandler.install()
    guard !(list && check) else { throw UsageError("give one of --list and --check") }
    if list || check {
      try FlagConflicts.refuse(
        flagsOfRuns, and: flagsOfVideos, "\(list ? "--list" : "--check") reads the index alone")
    }
    if check { try FlagConflicts.refuse(["--json": json], "--check prints one line") }
    if list { return try IndexReport(path: output).list(asJSON: json) }
    if check { return try IndexReport(path: output).check() }
    try BatchSize.require(batchSize)
    let log = RunLog()
    // Commands run by this one also print results, which must not mix with the JSON.
    let (report, index) = try json ? StandardStreams.onStandardError { try make(log) } : make(log)
    print(json ? Self.json(report, index).encoded(style: .python) : Self.line(report, index))
  }

  /// Brings the index up to date.
  private func make(_ log: RunLog) throws -> (Indexing.Report, IndexFile) {
    if let videos, let other = overrides.first, !other.hasPrefix("-") {
      throw UsageError(
        "--videos takes one folder, \(videos), and \(other) is another path: give a folder that holds both; "
          + "it may hold links to them")
    }
    let work = try clip.flatMap { modelDir == nil ? try indexing(byCLIP: $0, log) : nil } ?? indexing(log)
    let report = try IndexProgress.follow { progress in
      try work.indexing.run(
        batchSize: batchSize, onSkip: { log.warning("left out: \($0)") }, progress: progress)
    }
    let index = try IndexFile(path: output)
    guard index.count > 0 || report.skipped == 0 else {
      throw DataError(
        "all \(report.skipped) videos were left out", file: output, cure: "See the warnings for the reasons")
    }
    if !report.removed.isEmpty {
      log.info("removed, for their files are gone from their folders: \(report.removed.listed(10))")
    }
    work.tell(report)
    try tellMissing(index, log)
    return (report, index)
  }

  private static func line(_ report: Indexing.Report, _ index: IndexFile) -> String {
    let changes = [
      (report.replaced, "encoded anew"), (report.moved, "at another path"), (report.removed.count, "removed"),
    ]
    return
      "\(index.path): \(report.added) videos added, \(report.known) were there, \(report.skipped) left out; "
      + changes.filter { $0.0 > 0 }.map { "\($0.0) \($0.1); " }.joined()
      + "\(index.count) videos, \(index.rows) frames, \(index.length >> 20) MB"
  }

  private static func json(_ report: Indexing.Report, _ index: IndexFile) -> JSON {
    [
      "index": .string(index.path), "added": .int(report.added), "known": .int(report.known),
      "left_out": .int(report.skipped), "encoded_anew": .int(report.replaced), "moved": .int(report.moved),
      "removed": .array(report.removed.map { .string($0) }), "videos": .int(index.count),
      "frames": .int(index.rows), "bytes": .int(index.length),
      "precision": index.head.precision.map { .string($0.rawValue) } ?? .null,
    ]
  }

  /// The indexing to run, and a function that prints notes on its report.
  private typealias Work = (indexing: Indexing, tell: (Indexing.Report) -> Void)

  /// Prepares indexing with the model of a run.
  private func indexing(_ log: RunLog) throws -> Work {
    guard let modelDir, (videos == nil) != (vfeatDb == nil) else {
      throw UsageError(
        "give --model-dir, and one of --videos and --vfeat-db; or --videos and --clip alone")
    }
    try FlagConflicts.refuse(
      ["--frame-length": frameLength != nil, "--clip-vocabulary": clipWords.vocabulary != nil],
      "the run of --model-dir says how far frames are apart and reads the queries")
    if clip == nil {
      try FlagConflicts.refuse(["--clip-activation": clipWords.activation != nil], "it is of --clip")
    }
    if videos == nil {
      try FlagConflicts.refuse(
        [
          "--resnet": resnet != nil, "--slowfast": slowfast != nil, "--s3d": s3d != nil,
          "--clip": clip != nil,
          "--encoding": encoding != nil, "--transcribe": transcribe != nil,
        ], "features and subtitles are made of --videos only")
    } else {
      try FlagConflicts.refuse(
        ["--sub-txt-db": subTxtDb != nil], "the subtitles of --videos lie beside them or inside of them")
    }
    let recognizer = try recognizer()
    let opened = OpenedStores()
    let store = try subTxtDb.map { try opened.subtitles($0) }
    let tokenizer = try SearchModel.tokenizer(option: tokenizer, subtitles: store?.meta)
    let model = try SearchModel(
      folder: modelDir, checkpoint: checkpoint, tokenizer: tokenizer, subtitles: store?.meta,
      arguments: try RunArguments(overrides), for: .encoding, log: log, backend: try device.open())
    try requireAddable(model.head, log)
    var stores = (features: vfeatDb ?? "", subtitles: subTxtDb)
    var (files, lock): (Indexing.Files, WorkLock?) = (Indexing.Files(), nil)
    if remove { files.isGone = { $0.file.map { FileMark.isMissing($0.path) } ?? false } }
    if let videos {
      let own = try own(
        videos, model.opened.configuration.featureVersion, width: model.model.configuration.featureWidth,
        model.head, recognizer)
      lock = own.lock
      let prepared = try own.prepare(for: output, tokenizer: tokenizer) { log.warning($0) }
      stores = (prepared.features, prepared.subtitles)
      files = prepared.library.files(removes: remove)
    }
    let media = try videoFiles.map { folder in
      try MediaFolder(path: folder) { log.warning("left out: \($0)") }
    }
    if let media { files.media = { media.file(of: $0) } }
    files.subtitlesAreKnown = files.subtitlesAreKnown || stores.subtitles != nil
    let reader = try model.opened.reader(
      features: stores.features, subtitles: stores.subtitles, of: opened, cls: model.tokenizer.cls)
    let (width, read) = (try reader.features.width(), model.model.configuration.featureWidth)
    guard width == read else {
      throw DataError(
        "its frames are \(width) wide, the model of \(modelDir) reads \(read)", file: stores.features,
        cure: "Give features of the networks that the run was trained on")
    }
    if let media { tellUnmatched(media, reader.features.videos, log) }
    return (
      Indexing(path: output, model: model, reader: reader, files: files),
      { [lock] report in withExtendedLifetime(lock) { tell(report, model, reader.maxClipLength, log) } }
    )
  }

  /// Prepares indexing of CLIP's rows, without a trained model.
  private func indexing(byCLIP clip: String, _ log: RunLog) throws -> Work {
    guard let videos else { throw UsageError("--clip without --model-dir needs --videos") }
    try FlagConflicts.refuse(
      flagsOfRuns, "without --model-dir CLIP's rows of --videos are all that is indexed")
    let interval = frameLength?.value ?? Self.usualFrameLength
    guard FrameInterval(seconds: interval) != nil else {
      throw UsageError("--frame-length must be a whole number of 30ths of a second above 0, such as 1.5 or 2")
    }
    let recognizer = try recognizer()
    let model = try CLIPModel(
      weights: clip, vocabulary: clipWords.vocabulary, activation: clipWords.activation,
      frameInterval: interval, log: log, backend: try device.open())
    try requireAddable(model.head, log)
    let own = try own(videos, model.files.imageNetwork, width: model.head.width, model.head, recognizer)
    let prepared = try own.prepareCLIP(for: output, width: model.head.width) { log.warning($0) }
    return (
      Indexing(
        path: output, model: model, videos: prepared.videos, files: prepared.library.files(removes: remove)),
      { [lock = own.lock] _ in withExtendedLifetime(lock) {} }
    )
  }

  /// Checks that the videos can be added to the index.
  ///
  /// - Throws: `DataError` where the index exists and cannot take this model's videos.
  private func requireAddable(_ head: IndexHead, _ log: RunLog) throws {
    guard FileManager.default.fileExists(atPath: output) else { return }
    let known = try IndexFile(path: output).head
    try known.requireAddable(head, file: output)
    if let own = known.precision, let given = head.precision, own != given {
      log.info(
        "\(output) was begun in \(own.rawValue); what it lacks is encoded in \(given.rawValue)")
    }
  }

  /// The default seconds between CLIP's frames.
  private static let usualFrameLength = 1.5

  /// Opens the speech recognizer, before any work that takes long.
  private func recognizer() throws -> SpeechRecognizer? {
    if let encoding, !TextEncoding.isKnown(encoding) { throw UsageError.unknownEncoding(encoding) }
    return try transcribe.map { try SpeechRecognizer(model: $0) }
  }

  /// Returns the videos of `--videos`, with features of this version and width.
  private func own(
    _ videos: String, _ version: String, width: Int, _ head: IndexHead, _ recognizer: SpeechRecognizer?
  ) throws -> OwnVideos {
    let networks = try OwnNetworks(
      version: version, resnet: resnet, slowfast: slowfast, s3d: s3d, clip: clip,
      clipActivation: clipWords.activation)
    try networks.require(width: width)
    return OwnVideos(
      videos: videos, index: IndexWork(index: output), networks: networks, frameLength: head.frameInterval,
      encoding: encoding, recognizer: recognizer)
  }

  /// Flags for an index with a trained model, of stores or with networks other than CLIP.
  private var flagsOfRuns: KeyValuePairs<String, Bool> {
    [
      "--checkpoint": checkpoint != "best", "--resnet": resnet != nil, "--slowfast": slowfast != nil,
      "--s3d": s3d != nil, "--vfeat-db": vfeatDb != nil, "--sub-txt-db": subTxtDb != nil,
      "--video-files": videoFiles != nil, "--tokenizer": tokenizer != nil, "--batch-size": batchSize != 16,
      overrides.joined(separator: " "): !overrides.isEmpty,
    ]
  }

  /// The other flags for making an index.
  private var flagsOfVideos: KeyValuePairs<String, Bool> {
    [
      "--model-dir": modelDir != nil, "--videos": videos != nil, "--clip": clip != nil,
      "--clip-vocabulary": clipWords.vocabulary != nil, "--clip-activation": clipWords.activation != nil,
      "--frame-length": frameLength != nil, "--remove": remove, "--encoding": encoding != nil,
      "--transcribe": transcribe != nil, "--device or --precision": device.isGiven,
    ]
  }

  /// Warns of videos without a file to play, and of files without a video.
  private func tellUnmatched(_ media: MediaFolder, _ videos: [String], _ log: RunLog) {
    let without = videos.filter { !media.contains($0) }
    if let first = without.first {
      log.warning(
        "\(without.count) of \(videos.count) videos have no file in \(media.path), such as \(first)")
    }
    let unused = media.unused(by: videos)
    if let first = unused.first {
      log.warning(
        "\(unused.count) files of \(media.path) are named after no video of the store, such as \(first)")
    }
  }

  /// Reports results that the user may not expect.
  private func tell(_ report: Indexing.Report, _ model: SearchModel, _ clip: Int?, _ log: RunLog) {
    if report.windowed > 0, let clip {
      let seconds = Double(clip) * model.head.frameInterval
      log.info(
        "\(report.windowed) videos have more than max_clip_len (\(clip) frames, \(seconds) s) and are indexed as windows that overlap"
      )
    }
    if !report.short.isEmpty {
      let least = Double(model.opened.options.minLength + 1) * model.head.frameInterval
      log.info(
        "shorter than the shortest moment (\(least) s), found as a whole: \(report.short.listed(10))")
    }
  }

  /// Warns of videos with missing files, which stay in the index as their folders may return.
  private func tellMissing(_ index: IndexFile, _ log: RunLog) throws {
    guard videos != nil else { return }
    var missing: [String] = []
    for number in 0..<index.count {
      if let path = try index.video(number).file?.path, FileMark.isMissing(path) { missing.append(path) }
    }
    guard let first = missing.first else { return }
    log.warning(
      "the files of \(missing.count) videos are missing, such as \(first), with all others of their folders. "
        + "Their videos stay in the index; --remove removes them")
  }
}

/// The progress of work whose size is known once it begins.
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
