import Engine
import Foundation
import Formats
import TestSupport
import Testing

@testable import Training

/// Runs of a few updates on the reference's small corpus, for every family of tasks.
struct TinyRun {
  let folder: TemporaryFolder
  private static var golden: String { SharedData.golden.path }

  init() throws { folder = try TemporaryFolder() }

  /// Returns stores, and options that use every part of the family.
  func options(_ task: RunTask) throws -> JSONObject {
    var options: JSONObject = [
      "task": .string(task.rawValue), "model_config": .string("\(Self.golden)/expected/model_config.json"),
      "output_dir": .string(folder.path("run")), "max_clip_len": 20, "train_batch_size": 4,
      "gradient_accumulation_steps": 1, "num_train_steps": 2, "valid_steps": 2, "save_steps": 2,
      "warmup_steps": 1, "keep": 1, "val_batch_size": 7,
    ]
    func add(_ more: JSONObject) { for (key, value) in more { options[key] = value } }
    let ranking: JSONObject = [
      "lw_neg_q": 8, "lw_neg_ctx": 8, "lw_st_ed": 0.01, "train_span_start_step": 0, "use_all_neg": true,
      "hard_negtiave_start_step": [1], "hard_pool_size": [2],
    ]
    guard task.family != .pretraining else {
      add(ranking)
      options["task"] = nil
      add([
        "txt_db": .string("\(Self.golden)/db/txt_db"), "img_db": .string("\(Self.golden)/db/video_db"),
        "targets": [target(["mlm", "mfm-nce", "mffr", "fom", "vsm"])], "targets_ratio": [1],
        "num_train_steps": 6, "valid_steps": 6,
      ])
      return options
    }
    add([
      "vfeat_db": .string("\(Self.golden)/db/video_db/tv"),
      "sub_txt_db": task.channels == .video ? .null : .string(Self.store("tv_subtitles")),
    ])
    switch task.family {
    case .multitask:
      add(JSONObject(ranking.filter { RunOptions.named($0.key)?.families.contains(task.family) == true }))
      for name in ["task", "vfeat_db", "sub_txt_db"] { options[name] = nil }
      add([
        "train_datasets": .array([
          dataset("tvr", "train", ["query_txt_db": .string(Self.store("tvr_train")), "batch_size": 6]),
          dataset("tvqa", "train", ["query_txt_db": .string(Self.store("tvqa_train")), "ratio": 2]),
          dataset("violin", "train", ["query_txt_db": .string(Self.store("violin_train"))]),
          dataset("tvc", "train", ["cap_txt_db": [.string(try captions("train"))]]),
        ]),
        "val_datasets": .array([
          dataset("tvr", "val", ["query_txt_db": .string(Self.store("tvr_val"))]),
          dataset("tvqa", "val", ["query_txt_db": .string(Self.store("tvqa_val")), "batch_size": 5]),
          dataset("violin", "val", ["query_txt_db": .string(Self.store("violin_val"))]),
          dataset("tvc", "val", ["gt_anno": .string("\(Self.golden)/corpus/ann/tvc_val.jsonl")]),
        ]), "num_train_steps": 8, "valid_steps": 8, "max_gen_step": 4, "qa_lw_st_ed": 0.4,
        "tokenizer": .string("\(Self.golden)/corpus/tokenizer"),
      ])
    case .captioning:
      add([
        "train_db": .string(try captions("train")), "val_db": .string(try captions("val")),
        "test_db": .string(try captions("test")),
        "val_ref": .string("\(Self.golden)/corpus/ann/tvc_val.jsonl"), "max_gen_step": 4,
      ])
    case .momentRetrieval, .videoRetrieval:
      add(JSONObject(ranking.filter { RunOptions.named($0.key)?.families.contains(task.family) == true }))
      for split in ["train", "val", "test"] {
        options["\(split)_query_txt_db"] = .string(Self.store("tvr_\(split)"))
      }
    default:
      for split in ["train", "val", "test"] {
        options["\(split)_query_txt_db"] = .string(Self.store("\(task.rawValue)_\(split)"))
      }
    }
    return options
  }

  /// Returns a dataset in the format of VALUE's configurations.
  func dataset(_ task: String, _ split: String, _ more: JSONObject) -> JSON {
    let kinds: [String: JSON] = ["tvr": "vcmr", "tvqa": "videoQA", "violin": "violin", "tvc": "videoCap"]
    var entry: JSON = [
      "name": .string("\(task)_video_sub_\(split)"), "task": kinds[task] ?? .null,
      "vfeat_db": .string("\(Self.golden)/db/video_db/tv"), "sub_txt_db": .string(Self.store("tv_subtitles")),
    ]
    for (key, value) in more { entry[key] = value }
    return entry
  }

  static func store(_ name: String) -> String { "\(golden)/db/txt_db/\(name).db" }

  /// Returns a pre-training corpus with some objectives.
  func target(_ objectives: [String], interval: JSON? = nil) -> JSON {
    let split: JSON = [
      "name": "all", "tasks": .array(objectives.map { .string($0) }),
      "train_idx": ["pretrain_splits/tv_train.json"], "val_idx": "pretrain_splits/tv_val.json",
    ]
    var target: JSON = ["name": "tv", "sub_txt_db": "tv_subtitles.db", "vfeat_db": "tv", "splits": [split]]
    target["vfeat_interval"] = interval
    return target
  }

  /// Returns a copy of a caption store that names the tokenizer by its full path.
  private func captions(_ split: String) throws -> String {
    let path = folder.path("tvc_\(split).db")
    guard !FileManager.default.fileExists(atPath: path) else { return path }
    try FileManager.default.copyItem(atPath: Self.store("tvc_\(split)"), toPath: path)
    for meta in ["meta.json", "cap.db/meta.json", "clip.db/meta.json"].map({ "\(path)/\($0)" })
    where FileManager.default.fileExists(atPath: meta) {
      var json = try JSON.read(path: meta)
      json["tokenizer"] = .string("\(Self.golden)/corpus/tokenizer")
      try AtomicFile.write(json.encoded(), to: meta)
    }
    return path
  }

  /// Trains a run.
  /// - Returns: the configuration, which records what was read, and the log.
  @discardableResult
  func train(_ task: RunTask, _ options: JSONObject) throws -> (configuration: RunConfiguration, said: String)
  {
    let file = try folder.file("run.json", JSON.object(options).encoded())
    let (configuration, _) = try RunConfiguration.load(
      task: task.family == .pretraining ? .pretrain : nil, file: file, arguments: [])
    let said = Said()
    try TrainingRun(configuration, log: said.log).run(.anew, backend: try CPUBackend())
    return (configuration, said.text)
  }
}

/// A recorder of a log's text.
final class Said: @unchecked Sendable {
  private let lock = NSLock()
  private var lines = ""

  var text: String { lock.withLock { lines } }
  var log: RunLog {
    RunLog(
      console: Console(isTerminal: false, width: { 80 }) { [self] line in lock.withLock { lines += line } })
  }
}
