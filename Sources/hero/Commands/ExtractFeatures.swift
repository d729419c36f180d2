import ArgumentParser
import Engine
import Formats
import Foundation
import Search
import Training
import Vision

/// `hero extract-features`: computes feature files of videos.
struct ExtractFeatures: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "extract-features",
    abstract: "Compute features of videos, as convert-videodb takes them.",
    discussion: """
      Writes OUTPUT/resnet_features/<video>.npz, slowfast_features, clip-vit_features, clip-rn50x4_features and \
      mil-nce_features, for those networks whose weights are given, with a row for each --frame-length seconds. Reads \
      every container and codec that FFmpeg knows; of folders what is called like a video, hidden files and waste \
      baskets left out. What is there already is left as it is, so that Ctrl-C loses little; videos that cannot be read \
      are named, listed in failed.json and tried again by the next run. Under mpirun each process takes a part of the \
      videos.

        hero extract-features videos --output features \\
          --resnet resnet152-394f9c45.pth --slowfast SLOWFAST_8x8_R50.pkl \\
          --frame-length 1.5

      Of folders of pictures, such as TVQA's at 3 a second:

        hero extract-features frames_hq --frame-rate 3 --output features \\
          --resnet resnet152-394f9c45.pth

      As moment_detr and lighthouse read QVHighlights, a row every 2 seconds, with the features of the queries:

        hero extract-features videos --layout qvhighlights --output features \\
          --clip ViT-B-32.pt --slowfast SLOWFAST_8x8_R50.pkl \\
          --queries highlight_val_release.jsonl
      """)

  @Argument(
    help: ArgumentHelp(
      "Videos, and folders of videos; with --frame-rate folders of pictures.", valueName: "videos"),
    completion: .file())
  var videos: [String] = []

  @Option(folder: "Folder of the features.")
  var output: String?

  @Option(file: "Weights of torchvision's ResNet-152 (.pth).")
  var resnet: String?

  @Option(file: "Weights of SlowFast 8x8 R50 (.pkl, .pyth).")
  var slowfast: String?

  @Option(
    file:
      "Weights of CLIP ViT-B/32, B/16, L/14 or RN50x4: OpenAI's .pt, Hugging Face's folder or open_clip's."
  )
  var clip: String?

  @Option(
    name: [.long, .customLong("s3d-ckpt")],
    help: ArgumentHelp("Weights of MIL-NCE's S3D, s3d_howto100m.pth.", valueName: "file"), completion: .file()
  )
  var s3d: String?

  @OptionGroup var clipWords: CLIPArguments

  @Option(
    name: [.customLong("frame-length"), .customLong("clip-len")],
    help: ArgumentHelp(
      "Seconds per row, 1.5 or 3/2 for TV, 2 for MSR-VTT (default: 1.5; with --layout qvhighlights 2).",
      valueName: "seconds"))
  var frameLength: String?

  @Option(
    help: ArgumentHelp(
      "Pictures a second, 3 or 30000/1001, of folders of .jpg and .png files, each a video.",
      valueName: "rate"))
  var frameRate: String?

  @Option(
    help: ArgumentHelp(
      "Whose readers the files are for: hero's, or those of QVHighlights (clip_features, features alone).",
      valueName: "name"))
  var layout = FeatureForm.Layout.hero

  @Option(
    help: ArgumentHelp(
      "For --layout qvhighlights: annotations with qid and query, of which clip_text_features are made.",
      valueName: "file"), completion: .file())
  var queries: String?

  @Option(help: ArgumentHelp("Videos that are decoded at the same time.", valueName: "count"))
  var jobs = 1

  @Option(help: "Products: fp32, bf16, or auto for bf16 where the processor has instructions for it.")
  var precision = "auto"

  @Option(
    help: "How pictures are scaled: bicubic as FFmpeg's program does it, bilinear as it did before version 5."
  )
  var scaling = Scaling.bicubic

  @OptionGroup var reference: ExtractorArguments

  @OptionGroup var device: DeviceChoice

  /// The work that the command line asks for.
  private struct Wish {
    var videos: [String]
    var slowfast: String?
    var options: FeatureExtractor.Options
    var form: FeatureForm
  }

  func run() throws {
    let wish = try checked()
    let communicator = Processes.communicator
    InterruptHandler.install(launched: communicator.size > 1)
    // OpenMP reads this variable when oneDNN is opened.
    if let threads = Processes.threads() { setenv("OMP_NUM_THREADS", "\(threads)", 0) }
    let console = Console.standardError
    func tell(_ line: String) { if communicator.isFirst { console.print(line) } }
    if !reference.idle.isEmpty {
      tell("\(reference.idle.joined(separator: " and ")): changes nothing here, rows do not depend on it")
    }
    let texts = try queries.flatMap { try queryFeatures($0, tell) }
    guard !wish.videos.isEmpty || reference.csv != nil else { return try write(texts) }
    let precision = try chosenPrecision()
    var listed: ExtractorList?
    let list: [String]
    if let csv = reference.csv {
      let table = try ExtractorList(path: csv) { tell("left out: \($0)") }
      (listed, list) = (table, table.videos)
    } else {
      list = try (wish.form.isOfFolders ? VideoList.frameFolders : VideoList.videos)(wish.videos) {
        tell("left out: \($0)")
      }
    }
    let networks = try networks(wish, precision)
    let folder =
      try listed.map {
        try FeatureFolder(files: $0.files, list: reference.csv ?? "", form: wish.form)
      } ?? FeatureFolder(path: output ?? "", networks: networks.map(\.name), form: wish.form)
    console.print(
      "\(networks.map(\.summary).joined(separator: "; ")), \(precision.rawValue), oneDNN \(try OneDNN.summary())"
    )
    try write(texts)
    try extract(list, networks, wish.options, into: folder, console)
  }

  /// Parses the flags and checks how they combine.
  ///
  /// - Throws: `UsageError` for flags that do not fit together.
  private func checked() throws -> Wish {
    let (videos, slowfast) = try ExtractorArguments.divide(videos, slowfast: slowfast)
    let isOfQueries = layout == .qvhighlights
    let usual = FrameInterval(seconds: isOfQueries ? 2 : 1.5)
    guard let interval = frameLength.map({ FrameInterval($0) }) ?? usual else {
      throw UsageError(
        "--frame-length must be a whole number of 30ths of a second above 0, such as 1.5 or 3/2, not \(frameLength ?? "")"
      )
    }
    if clip == nil {
      try FlagConflicts.refuse(
        [
          "--clip-activation": clipWords.activation != nil,
          "--model-version": reference.modelVersion != nil,
        ], "it is of --clip")
    }
    if queries == nil {
      try FlagConflicts.refuse(
        ["--clip-vocabulary": clipWords.vocabulary != nil], "CLIP's words are for --queries")
    } else {
      guard isOfQueries else { throw UsageError("--queries is for --layout qvhighlights") }
      guard clip != nil else { throw UsageError("--queries needs --clip, whose text tower reads them") }
    }
    guard 1...CPUBackend.mostThreads ~= jobs else {
      throw UsageError("--jobs must be from 1 to \(CPUBackend.mostThreads)")
    }
    try reference.check(resnet: resnet != nil)
    let weights = [resnet, slowfast, clip, s3d].compactMap { $0 }
    guard !weights.isEmpty else {
      throw UsageError("give the weights of one network at least: --resnet, --slowfast, --clip or --s3d")
    }
    if reference.csv != nil {
      guard videos.isEmpty else { throw UsageError("name videos in the list of --csv or here, not both") }
      guard weights.count == 1 else {
        throw UsageError("--csv names one file a video, and \(weights.count) networks were given")
      }
      if queries == nil {
        try FlagConflicts.refuse(["--output": output != nil], "the list of --csv names the files")
      }
    } else if videos.isEmpty, queries == nil {
      throw UsageError("give videos, or a list of them as --csv")
    }
    guard output != nil || (reference.csv != nil && queries == nil) else {
      throw UsageError("give --output, the folder of the features")
    }
    if videos.isEmpty, reference.csv == nil {
      try FlagConflicts.refuse(["--frame-rate": frameRate != nil], "there are no videos, only --queries")
    }
    try device.checkProcessor("features are computed")
    var options = FeatureExtractor.Options(interval: interval)
    options.jobs = try reference.jobs(jobs)
    options.scaling = scaling
    var form = FeatureForm()
    if let frameRate {
      guard let rate = PictureRate(frameRate) else {
        throw UsageError("--frame-rate must be pictures a second, such as 3 or 30000/1001, not \(frameRate)")
      }
      options.frameRate = rate
      form.isOfFolders = true
    }
    form.layout = layout
    form.isHalf = reference.halfPrecision == 1
    return Wish(videos: videos, slowfast: slowfast, options: options, form: form)
  }

  /// Returns the features of queries in the first process; nil in the others.
  private func queryFeatures(_ path: String, _ tell: (String) -> Void) throws -> QueryFeatures? {
    guard Processes.communicator.isFirst, let clip, let output else { return nil }
    let backend = try Device.open(
      "cpu", precision: try textPrecision(), threads: Processes.threads(), place: Processes.place)
    if precision == NetworkPrecision.bfloat16.rawValue, backend.precision != .bf16 {
      tell(
        "--precision bf16: queries are computed in \(backend.precision.rawValue), for this processor has no "
          + "AVX512-BF16")
    }
    let model = try CLIPModel(
      weights: clip, vocabulary: clipWords.vocabulary, activation: clipWords.activation, frameInterval: 2,
      log: RunLog(), backend: backend)
    return try QueryFeatures(
      model: model, annotations: path, output: output, isHalf: reference.halfPrecision == 1
    ) { tell("left out: \($0)") }
  }

  /// Returns the precision of the text tower, which runs without oneDNN; nil for the fastest.
  private func textPrecision() throws -> Precision? {
    if precision == "auto" { return nil }
    return try knownPrecision() == .bfloat16 ? nil : .fp32
  }

  private func write(_ texts: QueryFeatures?) throws {
    guard let texts else { return }
    let (written, known, cut) = try texts.write(overwrites: reference.overwrite)
    if cut > 0 {
      Console.standardError.print(
        "\(cut) queries have more tokens than CLIP reads, \(texts.model.text.context): what comes last is cut off"
      )
    }
    print(
      "\(written) queries in \(output ?? "")/clip_text_features" + (known > 0 ? "; \(known) were there" : ""))
  }

  private func chosenPrecision() throws -> NetworkPrecision {
    if precision == "auto" { return try NetworkPrecision.fastest() }
    let known = try knownPrecision()
    try known.require()
    return known
  }

  private func knownPrecision() throws -> NetworkPrecision {
    guard let known = NetworkPrecision(rawValue: precision) else {
      throw UsageError("there is no precision \"\(precision)\"; --precision takes fp32, bf16 or auto")
    }
    return known
  }

  private func weights(_ path: String) throws -> NetworkWeights {
    let weights = try NetworkWeights(path: path)
    weights.notes.forEach(Console.standardError.print)
    return weights
  }

  private func networks(_ wish: Wish, _ precision: NetworkPrecision) throws -> [any FeatureNetwork] {
    var networks: [any FeatureNetwork] = []
    if let resnet {
      networks.append(
        try ResNet(weights(resnet), precision: precision, isUnit: reference.l2Normalize != 0))
    }
    if let slowfast = wish.slowfast { networks.append(try SlowFast(weights(slowfast), precision: precision)) }
    if let clip {
      let files = try CLIPFiles(path: clip, activation: clipWords.activation)
      files.notes.forEach(Console.standardError.print)
      let network = try CLIPImageTower.network(files, precision: precision)
      try reference.requireVersion(network.name, patch: network.summary)
      networks.append(network)
    }
    if let s3d { networks.append(try S3D(weights(s3d), precision: precision)) }
    return networks
  }

  /// The maximum number of unreadable videos that are named.
  private static let namedVideos = 50

  private func extract(
    _ list: [String], _ networks: [any FeatureNetwork], _ options: FeatureExtractor.Options,
    into folder: FeatureFolder, _ console: Console
  ) throws {
    let names = networks.map(\.name)
    let missing = list.map {
      (path: $0, networks: reference.overwrite ? Set(names) : folder.missing(names, of: $0))
    }
    .filter { !$0.networks.isEmpty }
    let done = list.count - missing.count
    let communicator = Processes.communicator
    // All processes look for existing files before one writes.
    communicator.barrier()
    let wanted = missing.indices.filter { $0 % communicator.size == communicator.rank }.map { missing[$0] }
    let reporter = ProgressReporter("Features", total: wanted.count + done, unit: "videos", done: done)
    var speed = VideoSpeed()
    var unreadable = 0
    do {
      try FeatureExtractor(networks, options).extract(wanted) { seconds in
        speed.add(seconds)
        reporter.advance(by: 0, note: speed.note)
        try InterruptHandler.check()
      } _: { video in
        try folder.write(video)
        // Unreadable videos yield no batches, whose callback would check.
        try InterruptHandler.check()
        if let failure = video.failure {
          unreadable += 1
          if unreadable <= Self.namedVideos { console.print("skipped: \(failure)") }
          if unreadable == Self.namedVideos + 1 {
            console.print("skipped: more videos; \(folder.failuresFile) will list all")
          }
        } else if video.damages > 0 {
          console.print(
            "damaged: \(video.path): \(video.damages) packets or pictures left out; what could be read was")
        }
        if video.isCut(by: options.interval.seconds), let stated = video.stated {
          console.print(
            String(
              format:
                "note: %@: its container says %.1f s, and its pictures end at %.1f s; the features are of these. "
                + "Where it was cut short, get it again", video.path, stated, video.span.duration))
        }
        reporter.advance()
      }
    } catch {
      console.show(status: "")
      guard error is Interruption, communicator.size > 1 else { throw error }
    }
    try Processes.agreeToGoOn()
    let failed = try folder.finish(isFirst: communicator.isFirst) { communicator.gather($0) }
    reporter.finish()
    print(
      "\(list.count - done - failed) videos in \(folder.path)" + (speed.note.map { ", \($0)" } ?? "")
        + (done > 0 ? "; \(done) were there" : "")
        + (failed > 0 ? "; \(failed) could not be read, see \(folder.failuresFile)" : ""))
    if failed == list.count, communicator.isFirst {
      throw DataError(
        "none of the \(failed == 1 ? "videos" : "\(failed) videos") could be read",
        file: folder.failuresFile,
        cure: "See the reasons in it")
    }
  }
}

extension Scaling: ExpressibleByArgument {}
extension CLIPActivation: ExpressibleByArgument {}
extension FeatureForm.Layout: ExpressibleByArgument {}
