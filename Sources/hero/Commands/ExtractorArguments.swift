import ArgumentParser
import Formats
import Foundation
import Training

/// Flags of HERO_Video_Feature_Extractor's scripts, so that their command lines work here.
///
/// Features.md has a table of both.
struct ExtractorArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "A table with the columns video_path and feature_path, in place of videos and --output; for one network.",
      valueName: "file"), completion: .file())
  var csv: String?

  @Flag(help: "Compute what is there already anew.")
  var overwrite = false

  @Option(help: ArgumentHelp("1 for files of float16, 0 for float32.", valueName: "0-or-1"))
  var halfPrecision = 1

  @Option(
    help: ArgumentHelp("The reference's spelling of --jobs; 0 is 1.", valueName: "count"))
  var numDecodingThread: Int?

  @Option(help: ArgumentHelp("1 for ResNet's rows of unit length, 0 as they are.", valueName: "0-or-1"))
  var l2Normalize: Int?

  @Option(help: ArgumentHelp("Changes nothing: rows do not depend on it.", valueName: "count"))
  var batchSize: Int?

  @Flag(help: "Changes nothing: videos are always decoded beside the networks.")
  var dataflow = false

  @Option(help: ArgumentHelp("rgb24 alone.", valueName: "name"))
  var pixFmt: String?

  @Option(help: ArgumentHelp("30 alone: pictures a second of clips.", valueName: "count"))
  var targetFramerate: Int?

  @Option(help: ArgumentHelp("1 alone: rows of a short video.", valueName: "count"))
  var minNumFeatures: Int?

  @Option(help: ArgumentHelp("2d alone.", valueName: "name"))
  var type: String?

  @Option(
    help: ArgumentHelp("ViT-B/32 or RN50x4: refused where the weights are of another.", valueName: "name"))
  var modelVersion: String?

  /// The key of SlowFast's configuration, which precedes a path of weights among the videos.
  private static let checkpointKey = "TEST.CHECKPOINT_FILE_PATH"

  /// Checks the values of the flags.
  ///
  /// - Throws: `UsageError` for values that ask for something unsupported.
  func check(resnet: Bool) throws {
    for (flag, value) in [("--half-precision", halfPrecision), ("--l2-normalize", l2Normalize ?? 1)]
    where ![0, 1].contains(value) {
      throw UsageError("\(flag) must be 0 or 1, not \(value)")
    }
    try BatchSize.require(batchSize)
    if let count = numDecodingThread, count < 0 {
      throw UsageError("--num-decoding-thread must be 0 or more, not \(count)")
    }
    if !resnet { try FlagConflicts.refuse(["--l2-normalize": l2Normalize != nil], "it is of --resnet") }
    for (flag, value, only, reason) in [
      ("--pix-fmt", pixFmt, "rgb24", "pictures are red, green and blue"),
      ("--target-framerate", targetFramerate.map(String.init), "30", "the published features are of 30"),
      ("--min-num-features", minNumFeatures.map(String.init), "1", "a video has a row at least"),
      ("--type", type, "2d", "clips are SlowFast's and S3D's"),
    ] {
      guard let value, value != only else { continue }
      throw UsageError("\(flag) \(value) is not done here, only \(only): \(reason)")
    }
    if let modelVersion, !["ViT-B/32", "RN50x4"].contains(modelVersion) {
      throw UsageError("--model-version takes ViT-B/32 or RN50x4, not \(modelVersion)")
    }
  }

  /// The given flags that have no effect.
  var idle: [String] {
    [("--batch-size", batchSize != nil), ("--dataflow", dataflow)].filter(\.1).map(\.0)
  }

  /// Returns the number of videos that are decoded at the same time.
  /// - Throws: `UsageError` where both spellings are given.
  func jobs(_ jobs: Int) throws -> Int {
    guard let numDecodingThread else { return jobs }
    guard jobs == 1 else { throw UsageError("give one of --jobs and --num-decoding-thread") }
    return max(1, numDecodingThread)
  }

  /// Separates the words that name videos from SlowFast's weights.
  /// - Throws: `UsageError` where the weights are given twice, or the key has no path.
  static func divide(_ words: [String], slowfast: String?) throws -> (videos: [String], slowfast: String?) {
    guard let place = words.firstIndex(of: checkpointKey) else { return (words, slowfast) }
    guard words.indices.contains(place + 1) else {
      throw UsageError("\(checkpointKey) names no file of weights")
    }
    guard slowfast == nil else { throw UsageError("give one of --slowfast and \(checkpointKey)") }
    return (Array(words[..<place] + words[(place + 2)...]), words[place + 1])
  }

  /// Checks that CLIP's weights have the version that `--model-version` names.
  ///
  /// - Parameter network: the name of the weights' network.
  /// - Throws: `UsageError` for another version.
  func requireVersion(_ network: String, patch: String) throws {
    guard let modelVersion else { return }
    let isSame = modelVersion == "RN50x4" ? network == "clip-rn50x4" : patch.contains("ViT/32,")
    guard isSame else {
      throw UsageError("--model-version is \(modelVersion), and the weights of --clip are of \(patch)")
    }
  }
}
