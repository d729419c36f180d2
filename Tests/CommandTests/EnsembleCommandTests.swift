import Formats
import Foundation
import TestSupport
import Testing

/// Several runs evaluated together: `--ensemble`, VALUE's two streams, and their averaged scores.
@Suite(.ownThreads) struct EnsembleCommandTests {
  private let corpus: SmallCorpus
  private var folder: TemporaryFolder { corpus.folder }

  init() throws { corpus = try SmallCorpus() }

  private func finetune(_ task: String, _ more: [String], to run: String) throws {
    try corpus.run(
      [
        "finetune", "--task", task, "--model-config", "model.json", "--num-train-steps", "4", "--valid-steps",
        "4", "--train-batch-size", "4", "--vfeat-db", "video_db/tv", "--sub-txt-db", "txt_db/subtitles.db",
        "--output-dir", run,
      ] + more)
  }

  private func eval(_ arguments: [String], of store: String) throws -> JSON {
    try JSON.parse(
      try corpus.run(
        ["eval", "--split", "val", "--query-txt-db", "txt_db/\(store).db", "--json"] + arguments
      )
      .output)
  }

  private func copy(_ run: String, to other: String) throws {
    try FileManager.default.copyItem(atPath: folder.path(run), toPath: folder.path(other))
  }

  private func logits(_ name: String) throws -> [String: [Double]] {
    let entries = try #require(try Pickle.read(path: folder.path(name)).entries)
    return Dictionary(
      uniqueKeysWithValues: try entries.map {
        (try #require($0.key.string), try #require($0.value.elements).compactMap(\.double))
      })
  }

  @Test(.timeLimit(.minutes(30))) func questionsByTwoStreams() throws {
    for split in ["train", "val"] {
      try corpus.run([
        "create-txtdb", "--task", "tvqa", "--annotation", "corpus/ann/tvqa_\(split).jsonl", "--output",
        "txt_db/tvqa_\(split).db", "--tokenizer", "corpus/tokenizer",
      ])
    }
    for channels in ["video", "subtitles"] {
      try finetune(
        "tvqa",
        [
          "--train-query-txt-db", "txt_db/tvqa_train.db", "--channels", channels, "--seed",
          "\(channels.count)",
        ],
        to: channels)
      _ = try eval(
        ["--output-dir", channels, "--save-logits", "\(channels).pkl", "--checkpoint", "latest"],
        of: "tvqa_val")
    }
    let metrics = try eval(
      [
        "--video-only-model-dir", "video", "--sub-only-model-dir", "subtitles", "--save-logits", "both.pkl",
        "--checkpoint", "latest", "--submission", "answers.json",
      ], of: "tvqa_val")
    // A stream needs a run that reads it.
    let swapped = try HeroProcess(
      arguments: [
        "eval", "--split", "val", "--query-txt-db", "txt_db/tvqa_val.db", "--checkpoint", "latest",
        "--video-only-model-dir", "subtitles", "--sub-only-model-dir", "video",
      ], folder: folder.root)
    #expect(swapped.status == 1 && swapped.errors.contains("subtitles: reads subtitles alone"))
    let path = try #require(metrics["results"]?.string)
    #expect(path.hasPrefix("video/results_val_two_stream/"))
    let answers = try #require(try JSON.read(path: folder.path(path)).object)
    let parts = [try logits("video.pkl"), try logits("subtitles.pkl")]
    let both = try logits("both.pkl")
    #expect(both.count == answers.count && parts[0] != parts[1])
    let rows = try JSONLines.values(path: folder.path("corpus/ann/tvqa_val.jsonl"))
    let right = try rows.filter { row in
      let id = try #require(row["qid"]?.int)
      return try #require(answers["\(id)"]?.int) == row["answer_idx"]?.int
    }
    let accuracy = try #require(metrics["valid/acc"]?.double)
    #expect(rows.count == answers.count && abs(accuracy - Double(right.count) / Double(rows.count)) < 1e-4)
    for (id, found) in both {
      let shares = try parts.map { part in
        let powers = try #require(part[id]).map { exp($0) }
        return powers.map { $0 / powers.reduce(0, +) }
      }
      let mean = paired(shares[0], shares[1]).map { ($0 + $1) / 2 }
      #expect(found.count == mean.count)
      for (one, other) in paired(found, mean) { #expect(abs(one - other) < 1e-5) }
      #expect(abs(mean[try #require(answers[id]?.int)] - (mean.max() ?? 0)) < 1e-5)
    }
    // An ensemble of a run and its copy gives the run's own results.
    try copy("video", to: "copy")
    _ = try eval(["--ensemble", "video", "copy", "--checkpoint", "latest"], of: "tvqa_val")
    let alone = try FileBytes.read(path: folder.path("video/results_val/results_4_all.json"))
    #expect(try FileBytes.read(path: folder.path("video/results_val_ensemble/results_4_all.json")) == alone)
  }

  @Test(.timeLimit(.minutes(30))) func momentsByAnEnsemble() throws {
    for (run, seed) in [("one", "1"), ("two", "2")] {
      try finetune("tvr", ["--train-query-txt-db", "txt_db/train.db", "--seed", seed], to: run)
    }
    let latest = ["--checkpoint", "latest"]
    _ = try eval(["--output-dir", "one"] + latest, of: "val")
    try copy("one", to: "copy")
    _ = try eval(["--ensemble", "one", "copy"] + latest, of: "val")
    let alone = try FileBytes.read(path: folder.path("one/results_val/results_4_all.json"))
    #expect(try FileBytes.read(path: folder.path("one/results_val_ensemble/results_4_all.json")) == alone)
    let both = try eval(["--ensemble", "one", "two", "--overwrite"] + latest, of: "val")
    let recall = try #require(both["valid_val_VR/VR_r1"]?.double)
    let results = "one/results_val_ensemble/results_4_all.json"
    #expect(abs(recall - (try corpus.videoRecall(of: results, split: "val"))) <= 0.005)
    #expect(try FileBytes.read(path: folder.path("one/results_val_ensemble/results_4_all.json")) != alone)

    let refused: [([String], String)] = [
      (["--ensemble", "one"], "two runs or more"),
      (["--ensemble", "one", "two", "--output-dir", "one"], "give one of"),
      (["--video-only-model-dir", "one"], "give both"),
      (["--output-dir", "one", "--sub-only-checkpoint", "4"], "go with"),
      (["--output-dir", "one", "--save-logits", "scores.pkl"], "questions and statements"),
    ]
    for (arguments, message) in refused {
      let process = try HeroProcess(
        arguments: ["eval", "--split", "val", "--query-txt-db", "txt_db/val.db"] + latest + arguments,
        folder: folder.root)
      #expect(process.status != 0 && process.errors.contains(message), "\(arguments): \(process.errors)")
    }
  }
}
