import Formats
import Foundation
import SearchTestSupport
import TestSupport
import Testing

@testable import Search

/// The inputs of `hero index --videos`: a folder of videos, small networks and a small model.
struct OwnVideoIndex {
  let model: SmallModel
  var folder: TemporaryFolder { model.folder }
  var index: String { folder.path("own.index") }

  /// - Parameter features: the name of the run's features, and their width.
  init(features: (version: String, width: Int) = ("resnet_slowfast", 8)) throws {
    model = try SmallModel(features: features)
    try Safetensors.write(path: folder.path("resnet.safetensors"), tensors: Self.resnet)
    try Safetensors.write(path: folder.path("slowfast.safetensors"), tensors: Self.slowfast)
  }

  /// Copies a fixture of Vision's into the folder, with trailing bytes that its container's readers
  /// ignore.
  func add(_ fixture: String, as name: String, mark: String? = nil) throws {
    var bytes = try Fixtures.bytes("Vision/\(fixture)")
    if let mark, fixture.hasSuffix(".mp4") {
      let size = 8 + mark.utf8.count
      bytes += [0, 0, UInt8(size >> 8), UInt8(size & 255)] + Array("free".utf8) + Array(mark.utf8)
    } else if let mark {
      // An element Void of Matroska.
      bytes += [0xEC, 0x80 | UInt8(mark.utf8.count)] + Array(mark.utf8)
    }
    let path = folder.path("v/\(name)")
    try FileManager.default.createDirectory(
      atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
    try Data(bytes).write(to: URL(fileURLWithPath: path))
  }

  /// Runs `hero index --videos v`.
  func run(
    _ more: String..., to output: String? = nil, environment: [String: String] = [:]
  ) throws -> HeroProcess {
    try HeroProcess(
      arguments: [
        "index", "--model-dir", folder.path("run"), "--checkpoint", "latest", "--videos", folder.path("v"),
        "--resnet", folder.path("resnet.safetensors"), "--slowfast", folder.path("slowfast.safetensors"),
        "--tokenizer", folder.path("tokenizer"), "--output", output ?? index,
      ] + more, folder: folder.root, environment: environment)
  }

  /// Returns the videos of an index by name, without the times of their files.
  func videos(_ path: String? = nil) throws -> [Name: IndexedVideo] {
    let index = try IndexFile(path: path ?? self.index)
    let videos = try (0..<index.count).map { number in
      var video = try index.video(number)
      video.file?.time = nil
      return (Name(video.name), video)
    }
    return Dictionary(uniqueKeysWithValues: videos)
  }

  /// Returns the subtitles of a video in the index.
  func said(_ name: String) throws -> [String]? { try videos()[Name(name)]?.sentences.map(\.text) }

  // MARK: Networks, 4 wide each

  private static func convolution(
    _ name: String, _ norm: String, _ shape: [Int]
  ) -> [(name: String, array: NDArray)] {
    let count = shape.reduce(1, *)
    // The weights are roughly means, so that activations do not grow from layer to layer.
    let inputs = Float(shape.dropFirst().reduce(1, *))
    let values = (0..<count).map { place in
      let spread = Float((place * 7919 + name.utf8.count * 31) % 17) / 17
      return (0.4 + 1.2 * spread) / inputs
    }
    let norms: [(String, Float)] = [
      ("weight", 1), ("bias", 0.5), ("running_mean", 0.1), ("running_var", 1),
    ]
    return [(name + ".weight", NDArray(floats: values, shape: shape))]
      + norms.map { part, value in
        ("\(norm).\(part)", NDArray(floats: [Float](repeating: value, count: shape[0]), shape: [shape[0]]))
      }
  }

  private static var resnet: [(name: String, array: NDArray)] {
    convolution("conv1", "bn1", [2, 3, 7, 7]) + convolution("layer1.0.conv1", "layer1.0.bn1", [1, 2, 1, 1])
      + convolution("layer1.0.conv2", "layer1.0.bn2", [1, 1, 3, 3])
      + convolution("layer1.0.conv3", "layer1.0.bn3", [4, 1, 1, 1])
      + convolution("layer1.0.downsample.0", "layer1.0.downsample.1", [4, 2, 1, 1])
  }

  private static var slowfast: [(name: String, array: NDArray)] {
    var tensors = convolution("s1.pathway0_stem.conv", "s1.pathway0_stem.bn", [2, 3, 1, 7, 7])
    tensors += convolution("s1.pathway1_stem.conv", "s1.pathway1_stem.bn", [2, 3, 5, 7, 7])
    for stage in 2...5 {
      let fuse = "s\(stage - 1)_fuse"
      tensors += convolution("\(fuse).conv_f2s", "\(fuse).bn", [2, 2, 7, 1, 1])
      for (pathway, width) in [4, 2].enumerated() {
        let block = "s\(stage).pathway\(pathway)_res0"
        tensors += convolution("\(block).branch1", "\(block).branch1_bn", [2, width, 1, 1, 1])
        tensors += convolution("\(block).branch2.a", "\(block).branch2.a_bn", [1, width, 1, 1, 1])
        tensors += convolution("\(block).branch2.b", "\(block).branch2.b_bn", [1, 1, 1, 3, 3])
        tensors += convolution("\(block).branch2.c", "\(block).branch2.c_bn", [2, 1, 1, 1, 1])
      }
    }
    return tensors
  }
}
