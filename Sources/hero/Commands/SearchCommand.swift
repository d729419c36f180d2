import ArgumentParser
import Formats
import Foundation
import Search
import Training

/// The options that searching commands share.
struct SearchArguments: ParsableArguments {
  @Option(file: "The index.")
  var index: String

  @Option(folder: "Folder of the model's run; by default where it was when the index was made.")
  var modelDir: String?

  @Option(checkpoint: "A step, 'best', 'latest' or a file.")
  var checkpoint = "best"

  @Option(folder: "Tokenizer; by default the one that the index was made with.")
  var tokenizer: String?

  @Option(file: "CLIP's weights, of an index of CLIP's; by default those that made the index.")
  var clip: String?

  @OptionGroup var clipWords: CLIPArguments

  @Option(
    help: ArgumentHelp(
      "Frames that a query is compared with exactly, of those that look best: more find the same as all would more surely, and cost time.",
      valueName: "frames"))
  var rowsRead = IndexedVideos.usualRowsRead

  @OptionGroup var device: DeviceArguments

  func open(_ overrides: RunArguments, log: RunLog) throws -> any VideoSearcher {
    guard rowsRead > 0 else { throw UsageError("--rows-read must be at least 1") }
    if case .clip = try IndexFile(path: index).head.kind {
      try FlagConflicts.refuse(
        [
          "--model-dir": modelDir != nil, "--checkpoint": checkpoint != "best",
          "--tokenizer": tokenizer != nil, overrides.flags: !overrides.flags.isEmpty,
        ], "\(index) was made with CLIP, not with a trained run")
      return try CLIPSearcher(
        index: index, weights: clip, vocabulary: clipWords.vocabulary, activation: clipWords.activation,
        rowsRead: rowsRead, log: log, backend: try device.open())
    }
    try FlagConflicts.refuse(
      [
        "--clip": clip != nil, "--clip-vocabulary": clipWords.vocabulary != nil,
        "--clip-activation": clipWords.activation != nil,
      ], "\(index) was made with a trained run, not with CLIP")
    return try MomentSearcher(
      index: index, folder: modelDir, checkpoint: checkpoint, tokenizer: tokenizer, arguments: overrides,
      rowsRead: rowsRead, log: log, backend: try device.open())
  }
}

/// `hero search`: finds moments for a sentence.
struct SearchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "search",
    abstract: "Find moments in indexed videos by a sentence.",
    discussion: """
      Ranks moments as 'hero eval' does: exp(α · cosine of the query and the video's best frame) · p(start) · p(end), without \
      those that overlap a better one (--nms-thd; 0.5 where the run has none).

      In an index that CLIP made without a trained run, moments are runs of frames around a peak of the cosine with the \
      query, joined with what is said (BM25) by their ranks.

        hero search --index tv.index "a man pours coffee while they talk about rent"
        hero search --index tv.index --m3u "somebody laughs" > moments.m3u \\
          && vlc moments.m3u
        hero search --index tv.index --cut moments "somebody laughs"
        hero search --index tv.index --format csv "somebody laughs" > moments.csv
        hero search --index tv.index --interactive
      """)

  @OptionGroup var search: SearchArguments

  @Option(help: "Moments to show.")
  var limit = 10

  @Option(
    help:
      "What to print: a table (default); json; rows as csv or jsonl; labels that FiftyOne imports; a project of VIA 3; m3u or edl."
  )
  var format: MomentFormat?

  @Flag(help: "Print JSON.")
  var json = false

  @Flag(help: "Print a playlist, which VLC plays moment after moment.")
  var m3u = false

  @Flag(help: "Print an edit list, which mpv plays as one film.")
  var edl = false

  @Option(
    help: ArgumentHelp(
      "Cut the moments out of their videos into this folder, as VIDEO_FROM-TO.mp4 with seconds; nothing is coded anew.",
      valueName: "folder"), completion: .directory)
  var cut: String?

  @Flag(help: "Read queries from standard input, one a line.")
  var interactive = false

  @Argument(
    parsing: .allUnrecognized,
    help: ArgumentHelp(
      "The sentence, and options that override the saved ones, such as --nms-thd.", valueName: "query"))
  var words: [String] = []

  /// The maximum of `--limit`.
  private static let longest = 1_000_000

  func run() throws {
    guard (1...Self.longest).contains(limit) else {
      throw UsageError("--limit must be from 1 to \(Self.longest)")
    }
    let format = try chosenFormat()
    try FlagConflicts.refuse(
      ["--cut": cut != nil && format.isOfVideos], "\(format.rawValue) is of the videos themselves")
    guard !(interactive && format.isDocument) else {
      throw UsageError("--format \(format.rawValue) is one document of one query; leave --interactive out")
    }
    var sentence: [String] = []
    let overrides = try RunArguments(words, others: &sentence)
    let query = sentence.joined(separator: " ")
    guard interactive != !query.isEmpty else {
      throw UsageError(
        interactive
          ? "--interactive reads sentences from standard input; leave the sentence out"
          : "give a sentence in quotation marks, or --interactive")
    }
    let searcher = try search.open(overrides, log: RunLog())
    guard searcher.index.count > 0 else {
      throw DataError(
        "holds no videos: all were removed, or its making was cut short", file: search.index,
        cure: "Give hero index the videos, which goes on with it")
    }
    if let cut { try OutputFolder.make(cut) }
    guard interactive else { return try show(query, searcher, format) }
    let asks = isatty(STDIN_FILENO) == 1
    var (answered, refused) = (0, 0)
    while true {
      if asks { try? FileHandle.standardError.write(contentsOf: Data("query: ".utf8)) }
      guard let line = readLine() else { break }
      guard !line.allSatisfy(\.isWhitespace) else { continue }
      do {
        try show(line, searcher, format, isFirst: answered == 0)
        answered += 1
      } catch let error as UsageError {
        refused += 1
        Console.standardError.print("\(error)")
      }
    }
    guard asks || refused == 0 else {
      throw UsageError("\(refused) of the queries could not be asked, as said above")
    }
  }

  /// Returns the format of `--format`, or of the flag that stands for it.
  private func chosenFormat() throws -> MomentFormat {
    let flags: KeyValuePairs<MomentFormat, Bool> = [.json: json, .m3u: m3u, .edl: edl]
    let given = [format].compactMap { $0 } + flags.filter(\.value).map(\.key)
    guard given.count <= 1 else { throw UsageError("give one of --format, --json, --m3u and --edl") }
    return given.first ?? .table
  }

  private func show(
    _ query: String, _ searcher: any VideoSearcher, _ format: MomentFormat, isFirst: Bool = true
  ) throws {
    let begun = DispatchTime.now().uptimeNanoseconds
    let moments = try searcher.find(query, limit: limit)
    let seconds = Double(DispatchTime.now().uptimeNanoseconds - begun) * 1e-9
    if let note = searcher.note(on: query) { Console.standardError.print(note) }
    if [.m3u, .edl].contains(format) { Playlist.leftOut(of: moments).map(Console.standardError.print) }
    let cuts = try cut.map { try MomentCuts(moments, into: $0) }
    let answer = searcher.json(query, moments, seconds: seconds)
    let text = try format.text(
      query, moments, answer: cuts?.added(to: answer) ?? answer, isFirst: isFirst)
    print(text, terminator: "")
    if format == .table {
      let time = String(format: "%.0f ms", seconds * 1000)
      Console.standardError.print("\(moments.count) moments among \(searcher.index.count) videos in \(time)")
      cuts?.lines.forEach { print($0) }
    }
    if !interactive { try cuts?.requireOne() }
  }
}
