import ArgumentParser
import Corpus
import Formats
import struct Formats.SubtitleCue
import Foundation
import Search
import Training
import Vision

/// From a folder of videos to stores, in a folder beside the index: what `hero index --videos` does before it encodes.
///
/// Every step is a command that is shown and can be repeated by hand. Features that are there are kept, so that what was
/// interrupted goes on and new videos cost their own time only.
struct OwnVideos {
  /// The folder of the videos, and of subtitle files if there are any.
  let videos: String
  /// The folder for features and stores.
  let index: IndexWork
  /// Files of weights.
  let resnet: String
  let slowfast: String
  /// Seconds per frame.
  let frameLength: Double
  let tokenizer: String

  private var work: String { index.path }
  private var store: String { index.features }
  private var subtitleStore: String { index.subtitles }

  /// Asks, before hours are spent on features, whether the model can read them.
  ///
  /// - Parameter width: of the features that the model reads.
  /// - Throws: `DataError` where the networks' are of another width, or their weights cannot be read.
  func requireFeatures(ofWidth width: Int) throws {
    let networks: [any FeatureNetwork] = [
      try ResNet(NetworkWeights(path: resnet), precision: .float32),
      try SlowFast(NetworkWeights(path: slowfast), precision: .float32),
    ]
    let made = networks.reduce(0) { $0 + $1.width }
    guard made == width else {
      throw DataError(
        "the features of \(networks.map(\.summary).joined(separator: " and ")) are \(made) wide together, the model reads \(width)",
        file: resnet, cure: "Give the weights that the model's own features were made with")
    }
  }

  /// Makes what is missing.
  /// - Returns: the stores; no subtitle store where the folder has no subtitles.
  func prepare() throws -> (features: String, subtitles: String?) {
    try run([
      "extract-features", videos, "--output", "\(work)/features", "--resnet", resnet, "--slowfast", slowfast,
      "--frame-length", "\(frameLength)",
    ])
    if try !isComplete() {
      try remove("\(work)/video_db")
      try run([
        "convert-videodb", "--feature-dir", "\(work)/features", "--output", "\(work)/video_db", "--dataset",
        "own",
        "--frame-length", "\(frameLength)",
      ])
    }
    let subtitles = try subtitleFolders()
    guard !subtitles.isEmpty else { return (store, nil) }
    try remove(subtitleStore)
    try run(
      ["create-txtdb", "--task", "subtitles", "--annotation"] + subtitles + [
        "--vfeat-db", store, "--output", subtitleStore, "--tokenizer", tokenizer, "--frame-length",
        "\(frameLength)",
      ])
    return (store, subtitleStore)
  }

  /// Seconds of each video, as its file says.
  func durations() throws -> [Name: Double] {
    var durations: [Name: Double] = [:]
    for path in try VideoList.videos(at: [videos]) {
      if let file = try? VideoFile(path: path) {
        durations[FeatureFolder.identifier(of: path)] = file.duration
      }
    }
    return durations
  }

  /// Whether the feature store has every video whose features are there.
  private func isComplete() throws -> Bool {
    guard FileManager.default.fileExists(atPath: store) else { return false }
    let known = Set(try FeatureStore(path: store, frameLength: frameLength).videos.lazy.map { Name($0) })
    let folders = ["resnet", "slowfast"].map { "\(work)/features/\($0)_features" }
    let made = folders.map { folder in
      Set(
        ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).filter { $0.hasSuffix(".npz") }
          .map { Name($0) }
      )
    }
    return made[0].intersection(made[1]).allSatisfy { known.contains(String($0.text.dropLast(".npz".count))) }
  }

  /// Folders with subtitle files: that of the videos, and one for the subtitles that are inside of them.
  private func subtitleFolders() throws -> [String] {
    let inside = "\(work)/subtitles"
    try remove(inside)
    var found = false
    let known = try subtitleNames()
    for path in try VideoList.videos(at: [videos]) {
      let name = FeatureFolder.identifier(of: path)
      // What lies beside a video was chosen by somebody.
      guard !known.contains(where: { $0 == name || $0.hasPrefix("\(name).") }),
        let tracks = try? VideoFile.subtitles(of: path).filter({ !$0.cues.isEmpty }),
        let track = tracks.first(where: { $0.language?.hasPrefix("en") == true }) ?? tracks.first
      else { continue }
      try OutputFolder.make(inside)
      let cues = track.cues.map { SubtitleCue(start: $0.start, end: $0.end, lines: [$0.text]) }
      try AtomicFile.write(SubtitleFile.subRip(cues), to: "\(inside)/\(name).srt")
      found = true
    }
    return (known.isEmpty ? [] : [videos]) + (found ? [inside] : [])
  }

  /// The names of the subtitle files beside the videos, without their endings.
  private func subtitleNames() throws -> [String] {
    let names = FileManager.default.enumerator(atPath: videos)?.compactMap { $0 as? String } ?? []
    return names.map { $0 as NSString }
      .filter { SubtitleFile.endings.contains($0.pathExtension.lowercased()) }
      .map { ($0.lastPathComponent as NSString).deletingPathExtension }
  }

  private func remove(_ path: String) throws {
    guard FileManager.default.fileExists(atPath: path) else { return }
    do {
      try FileManager.default.removeItem(atPath: path)
    } catch {
      throw DataError("cannot be removed: \(error.localizedDescription)", file: path)
    }
  }

  /// Shows and runs one command of this program.
  private func run(_ arguments: [String]) throws {
    Console.standardError.print("$ hero \(arguments.joined(separator: " "))")
    let status = Program.run(arguments: arguments)
    guard status == 0 else { throw ExitCode(status) }
  }
}
