import Formats
import Foundation
import TestSupport
import Testing

struct ExtractFeaturesTests {
  private let folder: TemporaryFolder
  private let video = Fixtures.path("Vision/plain.mp4")

  init() throws { folder = try TemporaryFolder() }

  /// A ResNet of one bottleneck, one channel wide, in PyTorch's names.
  private func weights() throws -> String {
    var tensors: [(name: String, array: NDArray)] = []
    func add(_ name: String, _ norm: String, _ shape: [Int]) {
      let count = shape.reduce(1, *)
      tensors.append(
        (name + ".weight", NDArray(floats: (0..<count).map { 0.1 + 0.01 * Float($0) }, shape: shape)))
      for (array, value) in [("weight", 1), ("bias", 0.5), ("running_mean", 0.1), ("running_var", 1)]
        as [(String, Float)]
      {
        tensors.append(
          ("\(norm).\(array)", NDArray(floats: [Float](repeating: value, count: shape[0]), shape: [shape[0]]))
        )
      }
    }
    add("conv1", "bn1", [1, 3, 7, 7])
    add("layer1.0.conv1", "layer1.0.bn1", [1, 1, 1, 1])
    add("layer1.0.conv2", "layer1.0.bn2", [1, 1, 3, 3])
    add("layer1.0.conv3", "layer1.0.bn3", [4, 1, 1, 1])
    add("layer1.0.downsample.0", "layer1.0.downsample.1", [4, 1, 1, 1])
    let path = folder.path("resnet.safetensors")
    try Safetensors.write(path: path, tensors: tensors)
    return path
  }

  @Test func featuresAreWrittenOnceAndFailuresNamed() throws {
    let weights = try weights()
    _ = try folder.file("videos/broken.mp4", "nothing")
    try FileManager.default.copyItem(atPath: video, toPath: folder.path("videos/plain.mp4"))
    let arguments = [
      "extract-features", folder.path("videos"), "--output", folder.path("features"), "--resnet", weights,
      "--frame_length", "1.5", "--jobs", "2", "--precision", "fp32",
    ]
    let first = try HeroProcess(arguments: arguments)
    #expect(first.status == 0, "\(first.errors)")
    #expect(first.output.contains("1 videos in") && first.output.contains("1 could not be read"))
    #expect(first.errors.contains("broken.mp4"))
    let file = folder.path("features/resnet_features/plain.npz")
    #expect(try NPZ.read(path: file, name: "features").shape == [2, 4])
    #expect(try JSON.read(path: folder.path("features/failed.json")).object?.keys.count == 1)
    let second = try HeroProcess(arguments: arguments)
    #expect(second.status == 0, "\(second.errors)")
    #expect(second.output.contains("0 videos in") && second.output.contains("1 were there"))
  }

  /// Each process takes some of the videos; the first lists what failed anywhere.
  @Test(.timeLimit(.minutes(30)), arguments: MPIJob.installed) func processesDivideTheVideos(job: MPIJob)
    throws
  {
    let weights = try weights()
    let names = ["a", "b", "c", "d"]
    for name in names {
      _ = try folder.file("videos/broken \(name).mp4", "nothing")
      try FileManager.default.copyItem(atPath: video, toPath: folder.path("videos/\(name).mp4"))
    }
    let arguments = [
      "extract-features", "videos", "--output", "features", "--resnet", weights, "--frame_length", "1.5",
      "--precision", "fp32",
    ]
    let first = try job.run(2, arguments, folder: folder.root)
    #expect(first.status == 0, "\(first.errors)")
    #expect(first.output.contains("4 videos in features") && first.output.contains("4 could not be read"))
    for name in names {
      let file = folder.path("features/resnet_features/\(name).npz")
      #expect(try NPZ.read(path: file, name: "features").shape == [2, 4])
    }
    #expect(try JSON.read(path: folder.path("features/failed.json")).object?.keys.count == 4)
    for name in names { try FileManager.default.removeItem(atPath: folder.path("videos/broken \(name).mp4")) }
    let second = try job.run(2, arguments, folder: folder.root)
    #expect(second.output.contains("0 videos in") && second.output.contains("4 were there"))
    #expect(!FileManager.default.fileExists(atPath: folder.path("features/failed.json")))
  }

  @Test func wrongCommandLinesExitWithTwo() throws {
    let base = ["extract-features", video, "--output", folder.path("features")]
    for more in [
      [], ["--resnet", "x", "--frame-length", "1.51"], ["--resnet", "x", "--jobs", "0"],
      ["--resnet", "x", "--precision", "int8"], ["--resnet", "x", "--device", "gpu"],
    ] {
      let run = try HeroProcess(arguments: base + more)
      #expect(run.status == 2, "\(more): \(run.errors)")
    }
  }

  @Test func missingWeightsAreNamed() throws {
    let run = try HeroProcess(
      "extract-features", video, "--output", folder.path("features"), "--resnet", folder.path("none.pth"))
    #expect(run.status == 1)
    #expect(run.errors.contains("none.pth"))
  }
}
