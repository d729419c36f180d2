import ArgumentParser
import Corpus
import Formats
import Training

extension TextStoreTask: ExpressibleByArgument {}
extension Compression: ExpressibleByArgument {}

/// `hero create-txtdb`: converts annotations to a text store.
struct CreateTxtdb: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "create-txtdb",
    abstract: "Make a store of tokenised text from annotations.",
    discussion: """
      Reads annotations in the form that their authors publish (TVR, TVQA, VIOLIN and TVC as JSON lines, How2R and \
      How2QA as CSV, DiDeMo and MSR-VTT as JSON, VALUE's yc2r, vatex_en_r, \
      yc2c, vatex_en_c and vlep as JSON lines) or in the reference's. Rows that cannot be used are named and \
      skipped. The store appears only when it is whole; one that exists is not overwritten.

        hero create-txtdb --task tvr --annotation tvr_val_release.jsonl \\
          --output txt_db/tvr_val.db --tokenizer roberta-base
        hero create-txtdb --task subtitles --annotation tv_subtitles.jsonl \\
          --output txt_db/tv_subtitles.db --tokenizer roberta-base \\
          --vid2nframe tv_vid2nframe.json --vid2dur-idx tvr_video2dur_idx.json

      Subtitles may also be files or a folder of them, each named after its video (clip.srt, clip.en.vtt): SubRip, \
      WebVTT, SubStation Alpha (.ass), Timed Text (.ttml), SAMI (.smi), lyrics (.lrc) and YouTube's (.sbv, .srv3, \
      .json3). What is guessed or left out of them is told.

        hero create-txtdb --task subtitles --annotation subtitles \\
          --vfeat-db video_db/mine --output txt_db/subtitles.db \\
          --tokenizer roberta-base
      """)

  @Option(help: "What the annotations are; by default tvr, as in the reference's script.")
  var task: TextStoreTask = .tvr

  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp(
      "File of annotations; for subtitles also files such as .srt and .vtt and folders of them.",
      valueName: "file"),
    completion: .file())
  var annotation: [String]

  @Option(folder: "Folder to make.")
  var output: String

  @Option(folder: "Folder with vocab.json and merges.txt.", name: [.long, .customLong("toker")])
  var tokenizer: String

  @Option(help: "Compression of values; the reference reads lz4 only.")
  var compression = Compression.zstd

  @Option(help: ArgumentHelp("Which part to take of a file that holds several.", valueName: "split"))
  var split: String?

  @Option(file: "Frames of each video, for subtitles: JSON {video: frames}.", name: .customLong("vid2nframe"))
  var frameCounts: String?

  @Option(
    folder: "In place of --vid2nframe: the feature store that has the frames.", name: .customLong("vfeat-db"))
  var featureStore: String?

  @Option(help: ArgumentHelp("Seconds per frame, for subtitles.", valueName: "seconds"))
  var frameLength: DecimalNumber = 1.5

  @Option(
    name: .customLong("nframe-group"),
    help: ArgumentHelp(
      "Frames of each empty sentence that a video without subtitles gets, 0 for no such sentences.",
      valueName: "frames"))
  var frameGroup = 5

  @Option(
    file: "The candidates of retrieval, copied into the store: JSON {split: {video: [seconds, index]}}.",
    name: .customLong("vid2dur-idx"))
  var durations: String?

  @Option(file: "JSON lines of the videos' subtitles, for tvc.")
  var subtitles: String?

  @Option(
    help: ArgumentHelp(
      "What subtitle files are in that are not Unicode, such as CP1251 or SHIFT_JIS; guessed by default.",
      valueName: "name"))
  var encoding: String?

  @Option(
    help: ArgumentHelp(
      "Seconds of the pieces that How2's videos were cut into, 0 if they were not.", valueName: "seconds"))
  var clipInterval: DecimalNumber = 60.0

  /// The maximum number of skipped rows that are named; further ones are only counted.
  private static let namedRows = 50

  func run() throws {
    try Processes.requireSole("create-txtdb")
    if task.needsFrameCounts, (frameCounts == nil) == (featureStore == nil) {
      throw UsageError("--task \(task.rawValue) needs one of --vid2nframe and --vfeat-db")
    }
    guard let first = annotation.first, annotation.count == 1 || task == .subtitles else {
      throw UsageError("--annotation takes one file; only subtitles may be several")
    }
    if task.needsSubtitles, subtitles == nil { throw UsageError("--task \(task.rawValue) needs --subtitles") }
    if !task.needsFrameCounts {
      try FlagConflicts.refuse(
        [
          "--vid2nframe": frameCounts != nil, "--vfeat-db": featureStore != nil,
          "--frame-length": frameLength != 1.5, "--nframe-group": frameGroup != 5,
        ], "only subtitles are matched with frames")
      try FlagConflicts.refuse(["--encoding": encoding != nil], "annotations are UTF-8 or say what they are")
    }
    if !task.needsSubtitles {
      try FlagConflicts.refuse(
        ["--subtitles": subtitles != nil], "only tvc's clips are matched with subtitles")
    }
    if !task.rawValue.hasPrefix("how2") {
      try FlagConflicts.refuse(
        ["--clip-interval": clipInterval != 60.0], "only how2r and how2qa name videos that were cut")
    }
    if !["msrvtt", "violin"].contains(task.rawValue) {
      try FlagConflicts.refuse(
        ["--split": split != nil && durations == nil],
        "the files of \(task.rawValue) hold one split, and all their rows are taken")
    }
    if task.takesNoCandidates {
      try FlagConflicts.refuse(["--vid2dur-idx": durations != nil], "\(task.rawValue) searches no candidates")
    }
    try FrameLength.require(frameLength.value)
    if let encoding, !TextEncoding.isKnown(encoding) { throw UsageError.unknownEncoding(encoding) }
    guard (0...1_000_000).contains(frameGroup) else { throw UsageError("--nframe-group must be 0 or more") }
    guard clipInterval.value >= 0 else {
      throw UsageError("--clip-interval must be 0 or more")
    }
    var builder = TextStoreBuilder(task: task, annotation: first, output: output, tokenizer: tokenizer)
    builder.compression = compression
    builder.split = split
    builder.encoding = encoding
    builder.subtitleFrameRate = VideoBeside.frameRate
    builder.moreSubtitles = Array(annotation.dropFirst())
    builder.vid2nframe = frameCounts
    builder.featureStore = featureStore
    builder.frameLength = frameLength.value
    builder.frameGroup = frameGroup
    builder.vid2durIdx = durations
    builder.subtitles = subtitles
    builder.clipInterval = clipInterval.value
    let console = Console.standardError
    var told = (skipped: 0, notes: 0)
    let report = try builder.build(
      onSkip: { message in
        told.skipped += 1
        if told.skipped <= Self.namedRows { console.print("skipped: \(message)") }
        if told.skipped == Self.namedRows + 1 { console.print("skipped: more rows, which are counted only") }
      },
      onNote: { message in
        told.notes += 1
        if told.notes <= Self.namedRows { console.print(message) }
        if told.notes == Self.namedRows + 1 { console.print("more of the kind is not told") }
      })
    print("\(output): \(report)")
  }
}

extension UsageError {
  static func unknownEncoding(_ name: String) -> UsageError {
    UsageError("the system knows no encoding \"\(name)\"; 'iconv -l' lists those that --encoding takes")
  }
}
