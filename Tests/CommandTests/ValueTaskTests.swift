import Formats
import Foundation
import TestSupport
import Testing

/// The tasks of the VALUE benchmark, from annotations to results in its formats.
@Suite(.ownThreads) struct ValueTaskTests {
  private let corpus: SmallCorpus
  private var folder: TemporaryFolder { corpus.folder }

  init() throws { corpus = try SmallCorpus() }

  /// Writes `TASK_SPLIT.jsonl` from the rows of the corpus's own annotation, and makes a store of
  /// it.
  private func makeStore(_ task: String, _ split: String, of own: String, _ row: (JSON) -> JSON) throws {
    var lines = ""
    try JSONLines.read(path: folder.path("corpus/ann/\(own)_\(split).jsonl")) { _, value in
      lines += row(value).encoded() + "\n"
    }
    let name = "\(task)_\(split)"
    try AtomicFile.write(lines, to: folder.path("\(name).jsonl"))
    try corpus.run([
      "create-txtdb", "--task", task, "--annotation", "\(name).jsonl", "--output", "txt_db/\(name).db",
      "--tokenizer", "corpus/tokenizer",
    ])
  }

  private func finetune(_ task: String, _ more: [String]) throws {
    let shape = [
      "--model-config", "model.json", "--num-train-steps", "4", "--valid-steps", "4", "--train-batch-size",
      "4",
      "--vfeat-db", "video_db/tv", "--sub-txt-db", "txt_db/subtitles.db", "--output-dir", task,
    ]
    try corpus.run(["finetune", "--task", task] + shape + more)
  }

  @Test(.timeLimit(.minutes(30)), arguments: ["yc2r", "vatex_en_r"])
  func videoRetrieval(task: String) throws {
    for split in ["train", "val"] {
      try makeStore(task, split, of: "tvr") { row in
        [
          "desc_id": row["desc_id"] ?? .null, "desc": row["desc"] ?? .null,
          "vid_name": row["vid_name"] ?? .null,
        ]
      }
    }
    try finetune(
      task,
      [
        "--train-query-txt-db", "txt_db/\(task)_train.db", "--val-query-txt-db", "txt_db/\(task)_val.db",
        "--lw-neg-ctx", "10", "--lw-neg-q", "10", "--hard-negtiave-start-step", "-1", "--hard-pool-size", "2",
        "--hard-neg-weights", "10",
      ])
    let run = try corpus.run([
      "eval", "--split", "val", "--query-txt-db", "txt_db/\(task)_val.db", "--output-dir", task,
      "--submission", "submission.json", "--json",
    ])
    let metrics = try JSON.parse(run.output)
    let recall = try #require(metrics["valid_val_VR/VR_r1"]?.double)
    #expect(abs(recall - (try corpus.videoRecall(of: "submission.json", split: "val"))) <= 0.005)
    let submission = try JSON.read(path: folder.path("submission.json"))
    #expect(submission["VR"]?.array?.isEmpty == false && submission["video2idx"] != nil)
  }

  @Test(.timeLimit(.minutes(30))) func futures() throws {
    for split in ["train", "val"] {
      try makeStore("vlep", split, of: "tvqa") { row in
        [
          "example_id": row["qid"] ?? .null, "events": [row["a0"] ?? .null, row["a1"] ?? .null],
          "answer": .int(row["answer_idx"]?.int == 0 ? 0 : 1), "vid_name": row["vid_name"] ?? .null,
          "ts": [1.5, 4.5],
        ]
      }
    }
    try finetune(
      "vlep",
      ["--train-query-txt-db", "txt_db/vlep_train.db", "--val-query-txt-db", "txt_db/vlep_val.db"])
    try corpus.run([
      "eval", "--split", "val", "--query-txt-db", "txt_db/vlep_val.db", "--output-dir", "vlep",
      "--submission",
      "answers.json",
    ])
    let answers = try #require(try JSON.read(path: folder.path("answers.json")).object)
    #expect(!answers.isEmpty && answers.allSatisfy { $0.value.int == 0 || $0.value.int == 1 })
  }

  @Test(.timeLimit(.minutes(30)), arguments: ["yc2c", "vatex_en_c"]) func captions(task: String) throws {
    for split in ["train", "val"] {
      try makeStore(task, split, of: "tvr") { row in
        [
          "desc_id": row["desc_id"] ?? .null, "desc": row["desc"] ?? .null,
          "vid_name": row["vid_name"] ?? .null,
        ]
      }
    }
    try finetune(task, ["--train-db", "txt_db/\(task)_train.db", "--val-db", "txt_db/\(task)_val.db"])
    // A store of the reference may name a tokenizer that lies elsewhere.
    let meta = folder.path("txt_db/\(task)_val.db/meta.json")
    let said = String(decoding: try FileBytes.read(path: meta), as: UTF8.self)
    try AtomicFile.write(said.replacing("corpus/tokenizer", with: "roberta-nowhere"), to: meta)
    let evaluation = [
      "eval", "--split", "val", "--query-txt-db", "txt_db/\(task)_val.db", "--output-dir", task,
    ]
    let lost = try HeroProcess(arguments: evaluation, folder: folder.root)
    #expect(lost.status == 1 && lost.errors.contains("\(task)_val.db/meta.json"))
    #expect(lost.errors.contains("says \"roberta-nowhere\"") && lost.errors.contains("--tokenizer"))
    try corpus.run(evaluation + ["--tokenizer", "corpus/tokenizer"])
    try AtomicFile.write(said, to: meta)
    // The clips to describe are whole videos, each with a number.
    let clips = try JSONLines.values(path: folder.path("\(task)_val.jsonl"))
    let videos = Array(Set(clips.compactMap { $0["vid_name"]?.string })).sorted()
    let wanted = videos.enumerated().map { number, video -> JSON in
      ["vid_name": .string(video), "clip_id": .int(number), "descs": [["desc": "somebody does something"]]]
    }
    try AtomicFile.write(wanted.map { $0.encoded() + "\n" }.joined(), to: folder.path("clips.jsonl"))
    let run = try corpus.run([
      "caption", "--model-dir", task, "--target-clip", "clips.jsonl", "--output", "captions.jsonl", "--score",
      "--json",
    ])
    #expect(try JSON.parse(run.output)["CIDEr"]?.double != nil)
    let rows = try JSONLines.values(path: folder.path("captions.jsonl"))
    #expect(rows.map { $0["clip_id"]?.int } == Array(videos.indices))
    #expect(rows.allSatisfy { $0["ts"] == nil && $0["descs"]?.array?.count == 1 })
  }
}
