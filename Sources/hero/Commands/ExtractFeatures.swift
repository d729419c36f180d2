import ArgumentParser
import Engine
import Formats
import Foundation
import Training
import Vision

/// `hero extract-features`: videos to feature files.
struct ExtractFeatures: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "extract-features",
    abstract: "Compute features of videos, as convert-videodb takes them.",
    discussion: """
      Writes OUTPUT/resnet_features/<video>.npz, slowfast_features/<video>.npz and clip-vit_features/<video>.npz, for those \
      networks whose weights are given, with a row for each --frame-length seconds. Reads every container and codec \
      that FFmpeg knows; of folders what is called like a video, hidden files and waste baskets left out. What is there already is left as it is, so that Ctrl-C loses little; videos that cannot be read are \
      named, listed in failed.json and tried again by the next run. Under mpirun each process takes a part of the videos.

        hero extract-features videos --output features --resnet resnet152-394f9c45.pth \\
          --slowfast SLOWFAST_8x8_R50.pkl --frame-length 1.5
      """)

  @Argument(help: ArgumentHelp("Videos, and folders of videos.", valueName: "videos"), completion: .file())
  var videos: [String]

  @Option(folder: "Folder of the features.")
  var output: String

  @Option(file: "Weights of torchvision's ResNet-152 (.pth).")
  var resnet: String?

  @Option(file: "Weights of SlowFast 8x8 R50 (.pkl, .pyth).")
  var slowfast: String?

  @Option(file: "Weights of CLIP ViT-B/32, B/16 or L/14: OpenAI's .pt, Hugging Face's folder or open_clip's.")
  var clip: String?

  @Option(
    help: ArgumentHelp(
      "What CLIP was trained with, where no file says it: quick_gelu (OpenAI's) or gelu (LAION's).",
      valueName: "name"))
  var clipActivation: CLIPActivation?

  @Option(help: ArgumentHelp("Seconds per row: 1.5 for TV, 2 for MSR-VTT.", valueName: "seconds"))
  var frameLength: DecimalNumber = 1.5

  @Option(help: ArgumentHelp("Videos that are decoded at the same time.", valueName: "count"))
  var jobs = 1

  @Option(help: "Products: fp32, bf16, or auto for bf16 where the processor has instructions for it.")
  var precision = "auto"

  @Option(
    help: "How pictures are scaled: bicubic as FFmpeg's program does it, bilinear as it did before version 5."
  )
  var scaling = Scaling.bicubic

  @OptionGroup var device: DeviceChoice

  func run() throws {
    guard let interval = FrameInterval(seconds: frameLength.value) else {
      throw UsageError("--frame-length must be a whole number of 30ths of a second above 0, such as 1.5 or 2")
    }
    if clip == nil {
      try FlagConflicts.refuse(["--clip-activation": clipActivation != nil], "it is of --clip")
    }
    guard jobs > 0 else { throw UsageError("--jobs must be 1 or more") }
    guard resnet != nil || slowfast != nil || clip != nil else {
      throw UsageError("give the weights of one network at least: --resnet, --slowfast or --clip")
    }
    try device.checkProcessor("features are computed")
    let precision = try chosenPrecision()
    let communicator = Processes.communicator
    InterruptHandler.install(launched: communicator.size > 1)
    // OpenMP looks when oneDNN is opened.
    if let threads = Processes.threads() { setenv("OMP_NUM_THREADS", "\(threads)", 0) }
    let console = Console.standardError
    let list = try VideoList.videos(at: videos) {
      if communicator.isFirst { console.print("left out: \($0)") }
    }
    let networks = try networks(precision)
    let folder = try FeatureFolder(path: output, networks: networks.map(\.name))
    console.print(
      "\(networks.map(\.summary).joined(separator: "; ")), \(precision.rawValue), oneDNN \(try OneDNN.summary())"
    )
    try extract(list, networks, interval, into: folder, console)
  }

  private func chosenPrecision() throws -> NetworkPrecision {
    if precision == "auto" { return try NetworkPrecision.fastest() }
    guard let known = NetworkPrecision(rawValue: precision) else {
      throw UsageError("there is no precision \"\(precision)\"; --precision takes fp32, bf16 or auto")
    }
    try known.require()
    return known
  }

  private func weights(_ path: String) throws -> NetworkWeights {
    let weights = try NetworkWeights(path: path)
    weights.notes.forEach(Console.standardError.print)
    return weights
  }

  private func networks(_ precision: NetworkPrecision) throws -> [any FeatureNetwork] {
    var networks: [any FeatureNetwork] = []
    if let resnet { networks.append(try ResNet(weights(resnet), precision: precision)) }
    if let slowfast { networks.append(try SlowFast(weights(slowfast), precision: precision)) }
    if let clip {
      let files = try CLIPFiles(path: clip, activation: clipActivation)
      files.notes.forEach(Console.standardError.print)
      networks.append(try CLIPImageEncoder(files, precision: precision))
    }
    return networks
  }

  private func extract(
    _ list: [String], _ networks: [any FeatureNetwork], _ interval: FrameInterval, into folder: FeatureFolder,
    _ console: Console
  ) throws {
    var options = FeatureExtractor.Options(interval: interval)
    options.jobs = jobs
    options.scaling = scaling
    let missing = list.map { (path: $0, networks: folder.missing(networks.map(\.name), of: $0)) }
      .filter { !$0.networks.isEmpty }
    let done = list.count - missing.count
    let communicator = Processes.communicator
    // Nobody writes before all have looked.
    communicator.barrier()
    let wanted = missing.indices.filter { $0 % communicator.size == communicator.rank }.map { missing[$0] }
    let reporter = ProgressReporter("Features", total: wanted.count + done, unit: "videos", done: done)
    var speed = VideoSpeed()
    do {
      try FeatureExtractor(networks, options).extract(wanted) { seconds in
        speed.add(seconds)
        reporter.advance(by: 0, note: speed.note)
        try InterruptHandler.check()
      } _: { video in
        try folder.write(video)
        if let failure = video.failure {
          console.print("skipped: \(failure)")
        } else if video.damages > 0 {
          console.print(
            "damaged: \(video.path): \(video.damages) packets or pictures left out; what could be read was")
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
      "\(list.count - done - failed) videos in \(output)" + (speed.note.map { ", \($0)" } ?? "")
        + (done > 0 ? "; \(done) were there" : "")
        + (failed > 0 ? "; \(failed) could not be read, see \(output)/failed.json" : ""))
    if failed == list.count, communicator.isFirst {
      throw DataError(
        "none of the \(failed == 1 ? "videos" : "\(failed) videos") could be read",
        file: "\(output)/failed.json",
        cure: "See the reasons in it")
    }
  }
}

extension Scaling: ExpressibleByArgument {}
extension CLIPActivation: ExpressibleByArgument {}
