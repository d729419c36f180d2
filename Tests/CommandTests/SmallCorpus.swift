import Demo
import Formats
import Foundation
import TestSupport
import Testing

/// A few synthetic videos, converted by hero itself, with configurations of runs that take seconds.
///
/// A test process makes the corpus once; each value has a copy of it.
struct SmallCorpus {
  let folder: TemporaryFolder

  private static let shared = Result {
    let corpus = try SmallCorpus(in: TemporaryFolder())
    corpus.folder.removeAtExit()
    return corpus
  }

  init() throws { try self.init(copying: Self.shared.get()) }

  /// Copies `other` with everything made in it.
  init(copying other: SmallCorpus) throws { folder = try TemporaryFolder(copying: other.folder) }

  /// Makes the corpus.
  private init(in folder: TemporaryFolder) throws {
    self.folder = folder
    var options = DemoOptions()
    (options.trainVideos, options.valVideos, options.testVideos) = (24, 6, 6)
    (options.appearanceWidth, options.motionWidth) = (8, 8)
    (options.queriesPerVideo, options.merges) = (2, 60)
    try makeDemoCorpus(at: folder.path("corpus"), options: options) { _ in }
    let store = { (name: String) in ["--output", "txt_db/\(name).db", "--tokenizer", "corpus/tokenizer"] }
    try run(
      ["create-txtdb", "--task", "subtitles", "--annotation", "corpus/ann/tv_subtitles.jsonl"]
        + store("subtitles")
        + ["--vid2nframe", "corpus/ann/tv_vid2nframe.json", "--frame-length", "1.5"]
        + ["--vid2dur-idx", "corpus/ann/vid2dur_idx.json"])
    for split in ["train", "val", "test"] {
      try run(
        ["create-txtdb", "--task", "tvr", "--annotation", "corpus/ann/tvr_\(split).jsonl"] + store(split))
    }
    try run([
      "convert-videodb", "--feature-dir", "corpus/features", "--output", "video_db", "--dataset", "tv",
      "--frame-length", "1.5",
    ])
    try writeConfigurations()
  }

  /// Runs the program in the corpus's folder, and requires success.
  @discardableResult
  func run(_ arguments: [String], sourceLocation: SourceLocation = #_sourceLocation) throws -> HeroProcess {
    let process = try HeroProcess(arguments: arguments, folder: folder.root)
    try #require(
      process.status == 0, "\(arguments.joined(separator: " ")): \(process.errors)",
      sourceLocation: sourceLocation)
    return process
  }

  /// Starts the program in the corpus's folder without waiting for it.
  func start(
    _ arguments: [String], errors: Pipe? = nil, output: Pipe? = nil, input: Pipe? = nil
  ) throws -> Process {
    let process = Process()
    process.executableURL = HeroProcess.binary
    process.arguments = arguments
    process.currentDirectoryURL = URL(fileURLWithPath: folder.root)
    process.standardError = errors ?? FileHandle.nullDevice
    process.standardOutput = output ?? FileHandle.nullDevice
    process.standardInput = input ?? FileHandle.nullDevice
    try process.run()
    return process
  }

  /// Returns R@1 of videos in percent, counted from the ranking in a file.
  /// - Parameter file: a submission, or the results that `hero eval` writes.
  func videoRecall(of file: String, split: String) throws -> Double {
    let predictions = try JSON.read(path: folder.path(file))
    let numbers = try #require(predictions["video2idx"])
    let rows = try JSONLines.values(path: folder.path("corpus/ann/tvr_\(split).jsonl"))
    let queries = try #require(predictions["VR"]?.array)
    try #require(queries.count == rows.count && !rows.isEmpty)
    var right = 0
    for query in queries {
      let id = try #require(query["desc_id"]?.int)
      let row = try #require(rows.first { $0["desc_id"]?.int == id })
      let best = try #require(query["predictions"]?.array?.first)
      let number = try #require(best.array?.first?.int ?? best.int)
      right += number == numbers[try #require(row["vid_name"]?.string)]?.int ? 1 : 0
    }
    return 100 * Double(right) / Double(rows.count)
  }

  private func writeConfigurations() throws {
    let vocabulary = try JSONSerialization.jsonObject(
      with: Data(contentsOf: URL(fileURLWithPath: folder.path("corpus/tokenizer/vocab.json"))))
    var part: [String: Any] = [
      "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32,
      "max_position_embeddings": 200, "type_vocab_size": 2, "hidden_act": "gelu", "initializer_range": 0.02,
      "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1,
    ]
    let temporal = part
    part["vocab_size"] = (vocabulary as? [String: Any])?.count
    var query = part
    query["num_hidden_layers"] = 0
    try write(
      ["f_config": part, "c_config": temporal, "q_config": query, "d_config": temporal], to: "model.json")
    let common: [String: Any] = [
      "model_config": "model.json", "num_train_steps": 60, "save_steps": 2, "valid_steps": 30,
      "warmup_steps": 5,
      "train_batch_size": 4, "gradient_accumulation_steps": 2, "learning_rate": 1e-3, "optim": "adamw",
      "lw_neg_ctx": 8, "lw_neg_q": 8, "train_span_start_step": 0, "hard_negtiave_start_step": [20],
      "hard_pool_size": [2], "use_all_neg": true,
    ]
    let splits: [[String: Any]] = [
      [
        "name": "all", "tasks": ["mlm", "mfm-nce", "mffr", "fom", "vsm"], "ratio": [2, 1, 1, 1, 2],
        "train_idx": ["corpus/pretrain_splits/tv_train.json"],
        "val_idx": "corpus/pretrain_splits/tv_val.json",
      ]
    ]
    let target: [String: Any] = [
      "name": "tv", "sub_txt_db": "txt_db/subtitles.db", "vfeat_db": "video_db/tv", "vfeat_interval": 1.5,
      "splits": splits,
    ]
    try write(
      common.merging(["txt_db": ".", "img_db": ".", "targets": [target], "targets_ratio": [1]]) { $1 },
      to: "pretrain.json")
    try write(
      common.merging([
        "task": "tvr", "sub_txt_db": "txt_db/subtitles.db", "vfeat_db": "video_db/tv",
        "train_query_txt_db": "txt_db/train.db", "val_query_txt_db": "txt_db/val.db",
      ]) { $1 }, to: "finetune.json")
  }

  private func write(_ object: [String: Any], to name: String) throws {
    try JSONSerialization.data(withJSONObject: object).write(to: URL(fileURLWithPath: folder.path(name)))
  }
}

extension JSONLines {
  /// Returns all values of a file.
  static func values(path: String) throws -> [JSON] {
    var values: [JSON] = []
    try read(path: path) { _, value in values.append(value) }
    return values
  }
}
