import Corpus
import Formats
import Foundation
import Search
import Training
import Vision

/// The networks that make the features of `hero index --videos`, as the run's features name them.
struct OwnNetworks {
  /// A network's name in the features' version, the flag of its weights, and these.
  private struct Part {
    var name: String
    var flag: String
    var weights: String
  }

  private let chosen: [Part]
  private let clipActivation: CLIPActivation?
  /// What the run's features are called.
  let version: String

  /// - Parameters:
  ///   - version: what the run's features are called, such as `clip-vit_slowfast`.
  ///   - resnet: files of weights, as are the others.
  /// - Throws: `UsageError` where weights are missing, or are of a network that the run does not
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
      // A name of somebody's own says nothing: the weights do.
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

  /// Names, in the order in which their features stand side by side.
  var parts: [String] { chosen.map(\.name) }

  /// For `extract-features`.
  var arguments: [String] {
    chosen.flatMap { [$0.flag, $0.weights] }
      + (clipActivation.map { ["--clip-activation", $0.rawValue] } ?? [])
  }

  /// For `convert-videodb`.
  var storeArguments: [String] {
    version == "resnet_slowfast"
      ? [] : ["--features", parts.joined(separator: ","), "--feat-version", version]
  }

  /// Asks, before hours are spent on features, whether the model can read them.
  ///
  /// - Parameter width: of the features that the model reads.
  /// - Throws: `DataError` where the networks' are of another width, or their weights cannot be
  ///   read.
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

  /// Features that other weights made cannot be mixed with these: the folder notes whose they are.
  ///
  /// - Throws: `DataError` where it has others.
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
