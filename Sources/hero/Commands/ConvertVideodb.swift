import ArgumentParser
import Corpus
import Engine
import Formats
import Foundation
import Training

/// `hero convert-videodb`: converts feature files to a feature store.
struct ConvertVideodb: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "convert-videodb",
    abstract: "Make a store of video features from .npz files.",
    discussion: """
      A video's features are resnet_features/…/<video>.npz and slowfast_features/…/<video>.npz, or what --features \
      names, each with an array "features" of a row per frame; a frame has them side by side. The store is OUTPUT/DATASET/<version>_<seconds>, with id2nframe.json beside it. \
      Files that cannot be read are named, listed in corrupted.json and skipped. The store appears only when it is \
      whole; one that exists is not overwritten.

      Under mpirun the processes read and compress files together, and the first writes the same store.

        hero convert-videodb --feature-dir features --output video_db --dataset tv \\
          --frame-length 1.5
      """)

  @Option(
    help: ArgumentHelp(
      "Parts of a frame's features, in order: NAME is in the folder NAME_features or NAME (default: "
        + "what --feat-version says, else resnet,slowfast).", valueName: "names"))
  var features: String?

  @Option(folder: "Folder with resnet_features and slowfast_features.")
  var featureDir: String?

  @Option(file: "The reference's video_feat_info.pkl, in place of --feature-dir.")
  var vfeatInfoFile: String?

  @Option(folder: "Folder of all feature stores.")
  var output: String

  @Option(help: ArgumentHelp("Name of the store's folder in it.", valueName: "name"))
  var dataset: String

  @Option(help: ArgumentHelp("Seconds per frame: 1.5 for TV, 2 for MSR-VTT.", valueName: "seconds"))
  var frameLength: DecimalNumber

  @Option(
    help: ArgumentHelp("First part of the store's name (default: the parts' names).", valueName: "name"))
  var featVersion: String?

  @Flag(help: "Store compressed .npz archives, in a store whose name ends in _compressed.")
  var compress = false

  @Option(help: "Compression of values without --compress; the reference reads none only.")
  var compression = Compression.none

  @Option(
    help: ArgumentHelp(
      "Cut videos into pieces of so many seconds: 60 for HowTo100M, -1 for not at all.", valueName: "seconds")
  )
  var clipInterval: DecimalNumber = -1.0

  @Option(help: ArgumentHelp("Threads that read and encode (default: all cores).", valueName: "count"))
  var nproc: Int?

  func run() throws {
    guard clipInterval.value == -1 || clipInterval.value >= 0 else {
      throw UsageError("--clip-interval must be a number of seconds, or -1 for not at all")
    }
    var options = VideoStoreOptions(source: try source(), output: output, dataset: dataset)
    try FrameLength.require(frameLength.value)
    options.frameLength = frameLength.value
    let named = featVersion.flatMap { FeatureVersion.parts(of: $0) }
    let given = features.map { $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init) }
    if let featVersion, let named, let given, given != named {
      throw UsageError(
        "--feat-version \(featVersion) names \(named.joined(separator: ",")), --features "
          + "\(given.joined(separator: ",")); leave one of the two out")
    }
    if let featVersion, given == nil, named == nil, FeatureVersion.isOfKnownParts(featVersion) {
      throw UsageError(
        "--feat-version \(featVersion) is none that is published: \(FeatureVersion.known); name the parts by --features"
      )
    }
    options.features = given ?? named ?? options.features
    options.featVersion = featVersion
    options.compress = compress
    options.compression = compression
    options.clipInterval = clipInterval.value
    if let nproc {
      guard 1...CPUBackend.mostThreads ~= nproc else {
        throw UsageError("--nproc must be from 1 to \(CPUBackend.mostThreads)")
      }
      options.threadCount = nproc
    } else if let threads = Processes.threads() {
      options.threadCount = threads
    }
    let communicator = Processes.communicator
    InterruptHandler.install(launched: communicator.size > 1)
    let console = Console.standardError
    var reporter: ProgressReporter?
    let ranks = EncodingRanks(rank: communicator.rank, size: communicator.size) { bytes in
      try Processes.agreeToGoOn()
      return communicator.gather(bytes)
    }
    let report = try VideoStoreBuilder(options).run(
      among: ranks, onSkip: { console.print("skipped: \($0)") }, onNote: { console.print($0) }
    ) { progress in
      if communicator.size == 1 { try InterruptHandler.check() }
      if reporter == nil { reporter = ProgressReporter("Converting", total: progress.total, unit: "videos") }
      reporter?.advance()
    }
    reporter?.finish()
    print(report)
  }

  private func source() throws -> VideoStoreOptions.Source {
    switch (featureDir, vfeatInfoFile) {
    case (let folder?, nil): .folder(folder)
    case (nil, let file?): .infoFile(file)
    default: throw UsageError("give one of --feature-dir and --vfeat-info-file")
    }
  }
}
