import Corpus
import Formats
import Foundation
import Search
import Training
import Vision

/// The networks that make the features of `hero index --videos`, as the run's features name them.
struct OwnNetworks {
  /// A network: its name in the features' version, the flag of its weights, and their path.
  private struct Part {
    var name: String
    var flag: String
    var weights: String
  }

  private let chosen: [Part]
  private let clipActivation: CLIPActivation?
  /// The version of the run's features.
  let version: String

  /// Chooses the networks of a version.
  ///
  /// - Parameters:
  ///   - version: the version of the run's features, such as `clip-vit_slowfast`.
  ///   - resnet: the path of ResNet's weights; the other networks' are given likewise.
  /// - Throws: `UsageError` where weights are missing or belong to a network that the run does not
  ///   read.
  init(
    version: String, resnet: String? = nil, slowfast: String? = nil, s3d: String? = nil, clip: String?,
    clipActivation: CLIPActivation?
  ) throws {
    let clipName = clip.flatMap { try? CLIPFiles(path: $0, activation: clipActivation).imageNetwork }
    let given = [
      ("resnet", "--resnet", resnet), (clipName ?? CLIPFiles.transformer, "--clip", clip),
      ("slowfast", "--slowfast", slowfast), ("mil-nce", "--s3d", s3d),
    ]
    self.version = version
    self.clipActivation = clipActivation
    guard let parts = FeatureVersion.parts(of: version) else {
      // A custom name does not tell the networks, so the given weights do.
      chosen = given.compactMap { name, flag, weights in
        weights.map { Part(name: name, flag: flag, weights: $0) }
      }
      guard !chosen.isEmpty else { throw UsageError("--videos needs --resnet, --clip, --slowfast or --s3d") }
      return
    }
    chosen = try parts.map { part in
      guard let (_, flag, weights) = given.first(where: { $0.0 == part }) else {
        throw UsageError(
          part == CLIPFiles.transformer
            ? "the run reads \(version), and the weights of --clip make features of \(clipName ?? "another")"
            : "the run reads \(version), and features of \(part) are not made here; give --vfeat-db their store"
        )
      }
      guard let weights else {
        throw UsageError("--videos needs \(flag): the run reads \(version)")
      }
      return Part(name: part, flag: flag, weights: weights)
    }
    for (name, flag, weights) in given where weights != nil && !parts.contains(name) {
      throw UsageError("\(flag) would have no effect: the run reads \(version)")
    }
  }

  /// The names of the networks, in the order of their features within a frame.
  var parts: [String] { chosen.map(\.name) }

  /// The arguments for `extract-features`.
  var arguments: [String] {
    chosen.flatMap { [$0.flag, $0.weights] }
      + (clipActivation.map { ["--clip-activation", $0.rawValue] } ?? [])
  }

  /// The arguments for `convert-videodb`.
  var storeArguments: [String] {
    version == "resnet_slowfast"
      ? [] : ["--features", parts.joined(separator: ","), "--feat-version", version]
  }

  /// Checks that the model can read the features, before hours are spent on them.
  ///
  /// - Parameter width: the width of the features that the model reads.
  /// - Throws: `DataError` where the networks' width differs, or their weights cannot be read.
  func require(width: Int) throws {
    let networks = try chosen.map { part -> any FeatureNetwork in
      switch part.name {
      case "resnet": try ResNet(NetworkWeights(path: part.weights), precision: .float32)
      case "slowfast": try SlowFast(NetworkWeights(path: part.weights), precision: .float32)
      case "mil-nce": try S3D(NetworkWeights(path: part.weights), precision: .float32)
      default:
        try CLIPImageTower.network(
          CLIPFiles(path: part.weights, activation: clipActivation), precision: .float32)
      }
    }
    let made = networks.reduce(0) { $0 + $1.width }
    guard made == width else {
      throw DataError(
        "the features of \(networks.map(\.summary).joined(separator: " and ")) are \(made) wide together, the model reads \(width)",
        file: chosen[0].weights, cure: "Give the weights that the model's own features were made with")
    }
  }

  /// Checks that the folder's features come from the same weights, and records these weights there.
  ///
  /// - Throws: `DataError` where other weights made the features.
  func requireSameWeights(in work: IndexWork) throws {
    let path = "\(work.path)/networks.json"
    var known = JSONObject()
    if FileManager.default.fileExists(atPath: path), let noted = try JSON.read(path: path).object {
      known = noted
    }
    for part in chosen {
      var hash = ContentHash()
      let files =
        FileManager.default.isFolder(part.weights)
        ? try CLIPFiles(path: part.weights, activation: clipActivation).parts : [part.weights]
      for file in files { hash.update(Array(try FileMark(path: file).hash.utf8)) }
      if part.flag == "--clip" { hash.update(Array((clipActivation?.rawValue ?? "").utf8)) }
      if let other = known[part.name]?.string, other != hash.text {
        throw DataError(
          "the features of \(part.name) in \(work.path) were made with other weights than \(part.weights)",
          file: path, cure: "Give the weights that made them, another --output, or remove \(work.path)")
      }
      known[part.name] = .string(hash.text)
    }
    try OutputFolder.make(work.path)
    try AtomicFile.write(JSON.object(known).encodedBytes(), to: path)
  }
}
