import Formats
import Foundation
import TestSupport
import Testing

@Suite(.ownThreads) struct ExtractFeaturesTests {
  private let folder: TemporaryFolder
  private let video = Fixtures.path("Vision/plain.mp4")

  init() throws { folder = try TemporaryFolder() }

  /// Writes a ResNet of one bottleneck, one channel wide, with PyTorch's names.
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

  /// Of many broken files, standard error lists the first few and the failure file lists all.
  @Test func manyFailures() throws {
    for number in 0..<60 { _ = try folder.file("videos/broken\(number).mp4", "nothing") }
    let run = try HeroProcess(arguments: [
      "extract-features", folder.path("videos"), "--output", folder.path("features"), "--resnet",
      try weights(), "--frame_length", "1.5", "--precision", "fp32",
    ])
    #expect(run.status == 1)
    let skipped = run.errors.split(separator: "\n").filter { $0.hasPrefix("skipped: ") }
    #expect(skipped.count == 51 && skipped.last?.contains("failed.json will list all") == true)
    #expect(try JSON.read(path: folder.path("features/failed.json")).object?.keys.count == 60)
  }

  /// Each process takes some of the videos, and the first lists the failures of all.
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
      ["--resnet", "x", "--clip_len", "3/0"], ["--resnet", "x", "--frame-rate", "0"],
      ["--resnet", "x", "--half_precision", "2"], ["--resnet", "x", "--pix_fmt", "yuv420p"],
      ["--resnet", "x", "--target_framerate", "24"], ["--resnet", "x", "--type", "3d"],
      ["--slowfast", "x", "--l2_normalize", "0"],
      ["--resnet", "x", "--jobs", "2", "--num_decoding_thread", "2"],
      ["--resnet", "x", "--csv", "x"], ["--resnet", "x", "--queries", "x"],
      ["--clip", "x", "--queries", "x"],
      ["--resnet", "x", "--model_version", "RN50x4"], ["--clip", "x", "--model_version", "RN50"],
      ["--resnet", "x", "TEST.CHECKPOINT_FILE_PATH"], ["--resnet", "x", "--clip-vocabulary", "x"],
      ["--slowfast", "x", "TEST.CHECKPOINT_FILE_PATH", "x"], ["--resnet", "x", "--batch_size", "0"],
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

  /// The reference's command line works: a CSV list, its flags, and the weights after a key.
  @Test func theReferencesListIsTaken() throws {
    let weights = try weights()
    let csv = try folder.file(
      "csv/info.csv",
      """
      video_path,feature_path
      \(video), features/plain.npz
      "\(folder.path("none, at all.mp4"))",features/none.npz
      \(video),features/other.npz
      \(Fixtures.path("Vision/plain.mkv")),features/plain
      only
      \(Fixtures.path("Vision/one.mp4")),deep/er/one
      """)
    let arguments = [
      "extract-features", "--csv", csv, "--resnet", weights, "--clip_len", "3/2", "--half_precision", "0",
      "--num_decoding_thread", "0", "--batch_size", "64", "--dataflow", "--pix_fmt", "rgb24", "--type", "2d",
      "--precision", "fp32",
    ]
    let run = try HeroProcess(arguments: arguments, folder: folder.root)
    #expect(run.status == 0 && run.output.contains("2 videos in \(csv)"), "\(run.errors)")
    for line in [
      "line 4: ", "line 5: ", "line 6: ", "none, at all.mp4", "--batch-size and --dataflow: changes nothing",
    ] {
      #expect(run.errors.contains(line), "\(line): \(run.errors)")
    }
    let array = try NPZ.read(path: folder.path("features/plain.npz"), name: "features")
    #expect(array.shape == [2, 4] && array.type == .float32)
    let length = array.floats()[0..<4].reduce(0) { $0 + $1 * $1 }
    #expect(abs(length - 1) < 1e-5)
    #expect(try NPZ.shape(path: folder.path("deep/er/one.npz"), preferring: "features") == [1, 4])
    #expect(try JSON.read(path: folder.path("csv/info_failed.json")).object?.keys.count == 1)

    // Rows without normalization, computed anew only with `--overwrite`.
    let raw = try HeroProcess(arguments: arguments + ["--l2_normalize", "0"], folder: folder.root)
    #expect(raw.status == 0 && raw.output.contains("0 videos in") && raw.output.contains("2 were there"))
    let anew = try HeroProcess(
      arguments: arguments + ["--l2_normalize", "0", "--overwrite"], folder: folder.root)
    #expect(anew.status == 0 && anew.output.contains("2 videos in"), "\(anew.errors)")
    let other = try NPZ.read(path: folder.path("features/plain.npz"), name: "features").floats()
    #expect(abs(other[0..<4].reduce(0) { $0 + $1 * $1 } - 1) > 1e-3)

    let key = try HeroProcess(
      arguments: ["extract-features", "--csv", csv, "TEST.CHECKPOINT_FILE_PATH", folder.path("none.pkl")],
      folder: folder.root)
    #expect(key.status == 1 && key.errors.contains("none.pkl"))
    let wrong = try folder.file("wrong.csv", "video,feature\n")
    let refused = try HeroProcess("extract-features", "--csv", wrong, "--resnet", weights)
    #expect(refused.status == 1 && refused.errors.contains("video_path"))
  }

  /// Folders, arrays, types and query states follow the layout that moment_detr reads.
  @Test func qvHighlightsLayout() throws {
    let queries = try folder.file(
      "queries.jsonl",
      """
      {"qid": 7803, "query": "a man opens a door", "vid": "plain", "duration": 3}
      {"qid": "../x", "query": "a door"}
      {"qid": 5, "query": " "}
      {"qid": 7803, "query": "another"}
      {"qid": "v_1", "query": "a red car drives along the street at night and somebody isn't here, they're laughing"}
      """)
    let arguments = [
      "extract-features", video, "--layout", "qvhighlights", "--output", folder.path("features"), "--clip",
      CLIPRows.path("openclip-quick"), "--resnet", try weights(), "--queries", queries, "--precision", "fp32",
    ]
    let lacking = try HeroProcess(arguments: arguments)
    #expect(lacking.status == 1 && lacking.errors.contains("--clip-vocabulary"))
    let words = ["--clip-vocabulary", Fixtures.path("CLIP/words")]
    let run = try HeroProcess(arguments: arguments + words)
    #expect(run.status == 0, "\(run.errors)")
    #expect(run.output.contains("2 queries in") && run.errors.contains("1 queries have more tokens"))
    for line in ["line 2", "line 3", "line 4"] { #expect(run.errors.contains(line), "\(run.errors)") }
    let file = folder.path("features/clip_features/plain.npz")
    let array = try NPZ.read(path: file, name: "features")
    // 3.2 seconds at a frame every two seconds, rounded to two frames.
    #expect(array.shape == [2, 6] && array.type == .float16)
    #expect(throws: DataError.self) { try NPZ.read(path: file, name: "span") }
    let text = folder.path("features/clip_text_features/qid7803.npz")
    let states = try NPZ.read(path: text, name: "last_hidden_state")
    let pooled = try NPZ.read(path: text, name: "pooler_output")
    #expect(states.type == .float16 && pooled.type == .float16)
    let wanted = try CLIPStates().states("quick")[0]
    #expect(states.shape == [wanted.tokens.count / 8, 8] && pooled.shape == [6])
    for (found, exact) in [(states.floats(), wanted.tokens), (pooled.floats(), wanted.pooled)] {
      #expect(paired(found, exact).allSatisfy { abs($0 - $1) <= 1e-3 * max(1, abs($1)) })
    }
    #expect(
      try Set(FileManager.default.contentsOfDirectory(atPath: folder.path("features/clip_text_features")))
        == ["qid7803.npz", "qidv_1.npz"])
    let again = try HeroProcess(arguments: arguments + words)
    #expect(
      again.status == 0 && again.output.contains("0 queries in") && again.output.contains("2 were there"))
  }

  /// Queries are encoded in the precision chosen for frames.
  ///
  /// About twenty results are each rounded to 8 bits of mantissa (2⁻⁸); in the worst case these
  /// errors add up to 0.08 of the largest element.
  @Test func queriesTakeThePrecisionOfPictures() throws {
    let queries = try folder.file("queries.jsonl", #"{"qid": 7, "query": "a man opens a door"}"#)
    func pooled(_ precision: String) throws -> [Float] {
      let run = try HeroProcess(
        arguments: [
          "extract-features", "--layout", "qvhighlights", "--output", folder.path(precision), "--clip",
          CLIPRows.path("openclip-quick"), "--queries", queries, "--clip-vocabulary",
          Fixtures.path("CLIP/words"), "--precision", precision, "--half-precision", "0",
        ], environment: ["HERO_EMULATE_BF16": "1"])
      #expect(run.status == 0, "\(run.errors)")
      return try NPZ.read(
        path: folder.path("\(precision)/clip_text_features/qid7.npz"), name: "pooler_output"
      ).floats()
    }
    let (exact, rounded) = (try pooled("fp32"), try pooled("bf16"))
    let largest = exact.reduce(0) { max($0, abs($1)) }
    #expect(exact != rounded)
    #expect(paired(exact, rounded).allSatisfy { abs($0 - $1) <= 0.08 * largest })
    #expect(try pooled("auto") == rounded)
    // On a processor without bfloat16 products, the command reports that it computes in fp32.
    let without = try HeroProcess(
      arguments: [
        "extract-features", "--layout", "qvhighlights", "--output", folder.path("base"), "--clip",
        CLIPRows.path("openclip-quick"), "--queries", queries, "--clip-vocabulary",
        Fixtures.path("CLIP/words"), "--precision", "bf16",
      ], environment: ["HERO_KERNELS": "base"])
    #expect(without.status == 0 && without.errors.contains("queries are computed in fp32"))
  }

  @Test func foldersOfPicturesAreVideos() throws {
    let run = try HeroProcess(
      "extract-features", Fixtures.path("Vision/frames"), "--frame-rate", "1", "--frame-length", "1",
      "--output", folder.path("features"), "--clip", CLIPRows.path("openclip-quick"), "--s3d-ckpt",
      Fixtures.path("Vision/s3d.pth"), "--precision", "fp32")
    #expect(run.status == 0 && run.output.contains("1 videos in"), "\(run.errors)")
    let (clip, s3d) = (
      folder.path("features/clip-vit_features/clip.v2.npz"),
      folder.path("features/mil-nce_features/clip.v2.npz")
    )
    #expect(try NPZ.read(path: clip, name: "features").shape == [3, 6])
    #expect(try NPZ.read(path: s3d, name: "features").shape == [3, 12])
    let without = try HeroProcess(
      "extract-features", Fixtures.path("Vision/frames"), "--output", folder.path("features"), "--resnet",
      try weights())
    #expect(without.status == 1 && without.errors.contains("--frame-rate"))
  }
}
