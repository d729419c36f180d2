import Corpus
import Engine
import Formats
import Foundation
import Model
import Search
import TestSupport
import Text
import Training

/// A run's folder with a small random model and its tokenizer, and indexes of random frames.
public struct SmallModel {
  /// The folder of `run` and `tokenizer`, removed with the value.
  public let folder: TemporaryFolder
  /// The number of elements of an encoded frame.
  public static let width = 32

  /// - Parameters:
  ///   - seed: the seed of the weights.
  ///   - features: the name of the run's features, and their width.
  public init(seed: UInt64 = 1, features: (version: String, width: Int) = ("resnet_slowfast", 8)) throws {
    folder = try TemporaryFolder()
    var tokens = ["<s>", "<pad>", "</s>", "<unk>", "."]
    tokens += "abcdefghijklmnopqrstuvwxyzĠ?".map { String($0) } + ["<|endoftext|>", "<mask>", "Ġz"]
    // A byte-level vocabulary has every byte.
    tokens += ByteAlphabet.scalars.map { String($0) }.filter { !tokens.contains($0) }
    let entries = tokens.enumerated().map { "\(JSON.string($1).encoded()): \($0)" }.joined(separator: ", ")
    _ = try folder.file("tokenizer/vocab.json", "{\(entries)}")
    _ = try folder.file("tokenizer/merges.txt", "#version: 0.2\nĠ z\n")
    var part: JSONObject = [
      "hidden_size": .int(Self.width), "num_hidden_layers": 1, "num_attention_heads": 2,
      "intermediate_size": 48,
      "max_position_embeddings": 600, "type_vocab_size": 2, "hidden_act": "gelu",
    ]
    let temporal = JSON.object(part)
    part["vocab_size"] = .int(tokens.count)
    var query = part
    query["num_hidden_layers"] = 0
    let shape: JSON = ["f_config": .object(part), "c_config": temporal, "q_config": .object(query)]
    let file = try folder.file("run/log/model_config.json", shape.encoded())
    let options: JSON = [
      "task": "tvr", "max_clip_len": 100, "vfeat_interval": 1.5, "vfeat_version": .string(features.version),
    ]
    _ = try folder.file("run/log/hps.json", options.encoded())
    let model = RetrievalModel(
      try ModelConfiguration(shape, file: file, featureWidth: features.width, checkpoint: nil),
      backend: try CPUBackend())
    model.store.initialize(seed: seed)
    try FileManager.default.createDirectory(
      atPath: folder.path("run/ckpt"), withIntermediateDirectories: true)
    try model.store.save(to: folder.path("run/ckpt/model_step_1.safetensors"))
  }

  /// Opens the model's newest checkpoint on the CPU.
  public func open() throws -> SearchModel {
    try SearchModel(
      folder: folder.path("run"), checkpoint: "latest", tokenizer: folder.path("tokenizer"), log: RunLog(),
      backend: try CPUBackend())
  }

  /// Returns a searcher of an index of this model, on the CPU.
  ///
  /// - Parameter index: the index's path.
  public func searcher(_ index: String, arguments: [String] = [], rowsRead: Int = 40_000) throws
    -> MomentSearcher
  {
    try MomentSearcher(
      index: index, checkpoint: "latest", arguments: RunArguments(arguments), rowsRead: rowsRead,
      log: RunLog(),
      backend: try CPUBackend())
  }

  /// Returns frames of a video, the same every time.
  public static func frames(of video: Int, count: Int, width: Int = width) -> [Float] {
    var random = RandomStream(seed: 7, step: UInt64(video), stream: 0)
    return (0..<count * width).map { _ in random.normalPair().0 }
  }

  /// Returns the unit vector of a video's first frame.
  public static func unit(of video: Int, width: Int = width) -> [Float] {
    let frame = frames(of: video, count: 1, width: width)
    let length = frame.reduce(0) { $0 + $1 * $1 }.squareRoot()
    return frame.map { $0 / length }
  }

  /// Returns a video of 4 … 12 frames with two sentences.
  public static func video(_ number: Int, file: IndexedVideo.MediaFile? = nil) -> IndexedVideo {
    let frames = 4 + number % 9
    return IndexedVideo(
      name: "clip \(number) <b>&", duration: Double(frames) * 1.5, frames: frames,
      sentences: [
        SpokenSentence(start: 0, end: 2, text: "one \(number)"),
        SpokenSentence(start: 2.5, end: 4, text: "<script>alert(\(number))</script>"),
      ], file: file)
  }

  /// Adds videos to an index.
  public static func add(
    _ numbers: Range<Int>, to path: String, head: IndexHead, segments: Int = 1,
    file: (Int) -> IndexedVideo.MediaFile? = { _ in nil }
  ) throws {
    let writer = try IndexWriter(path: path, head: head)
    for number in numbers {
      let video = video(number, file: file(number))
      try frames(of: number, count: video.frames, width: head.width).withUnsafeBufferPointer {
        try writer.add(video, frames: $0)
      }
      if (number - numbers.lowerBound + 1) % max(1, numbers.count / segments) == 0 { try writer.commit() }
    }
    try writer.commit()
  }
}
