import Formats
import Foundation
import TestSupport
import Testing

/// `hero caption` and `hero eval --task tvc`, from annotations to scores.
@Suite(.ownThreads) struct CaptionCommandTests {
  private let corpus: SmallCorpus
  private var folder: TemporaryFolder { corpus.folder }

  init() throws { corpus = try SmallCorpus() }

  private func rows(_ name: String) throws -> [JSON] { try JSONLines.values(path: folder.path(name)) }

  @Test(.timeLimit(.minutes(30))) func clipsAreCaptionedAndScored() throws {
    for split in ["train", "val"] {
      try corpus.run([
        "create-txtdb", "--task", "tvc", "--annotation", "corpus/ann/tvc_\(split).jsonl", "--output",
        "txt_db/tvc_\(split).db", "--tokenizer", "corpus/tokenizer", "--subtitles",
        "corpus/ann/tv_subtitles.jsonl",
      ])
    }
    try corpus.run([
      "finetune", "--task", "tvc", "--model-config", "model.json", "--train-db", "txt_db/tvc_train.db",
      "--val-db",
      "txt_db/tvc_val.db", "--vfeat-db", "video_db/tv", "--sub-txt-db", "txt_db/subtitles.db", "--output-dir",
      "tvc",
      "--num-train-steps", "30", "--valid-steps", "30", "--train-batch-size", "4",
      "--gradient-accumulation-steps",
      "1", "--learning-rate", "3e-3", "--warmup-steps", "2",
    ])
    let clips = try rows("corpus/ann/tvc_val.jsonl")
    let scores = try [["--score"], ["--score", "--beam", "3", "--length-penalty", "0.5"]].map {
      more -> JSON in
      let run = try corpus.run(
        ["caption", "--model-dir", "tvc", "--checkpoint", "30", "--target-clip", "corpus/ann/tvc_val.jsonl"]
          + [
            "--output", "captions.jsonl", "--overwrite", "--max-gen-step", "12", "--batch-size", "2",
            "--no-fp16", "--json",
          ] + more)
      let captions = try rows("captions.jsonl")
      #expect(captions.map { $0["clip_id"] } == clips.map { $0["clip_id"] })
      #expect(captions.map { $0["vid_name"] } == clips.map { $0["vid_name"] })
      #expect(captions.map { $0["ts"] } == clips.map { $0["ts"] })
      #expect(captions.allSatisfy { $0["descs"]?.array?.count == 1 })
      #expect(captions.contains { $0["descs"]?.array?.first?["desc"]?.string?.isEmpty == false })
      return try JSON.parse(run.output)
    }
    // `hero eval` scores the same file alike and copies it unchanged as the submission.
    let evaluation = try corpus.run([
      "eval", "--task", "tvc", "--predictions", "captions.jsonl", "--references", "corpus/ann/tvc_val.jsonl",
      "--submission", "submission.jsonl", "--json",
    ])
    #expect(try JSON.parse(evaluation.output) == scores[1])
    #expect(try rows("submission.jsonl") == rows("captions.jsonl"))
  }

  /// Human captions get full scores against themselves, and the table shows the same figures.
  @Test func peoplesOwnCaptionsScoreFull() throws {
    let own = try rows("corpus/ann/tvc_val.jsonl").map { row -> String in
      var row = try #require(row.object)
      row["descs"] = .array([try #require(row["descs"]?.array?.first)])
      return JSON.object(row).encoded() + "\n"
    }
    try AtomicFile.write(own.joined(), to: folder.path("own.jsonl"))
    let words = [
      "eval", "--task", "tvc", "--predictions", "own.jsonl", "--references", "corpus/ann/tvc_val.jsonl",
    ]
    let scores = try JSON.parse(try corpus.run(words + ["--json"]).output)
    // BLEU differs by the 1e-9 that coco-caption adds to its divisors.
    for name in ["Bleu_4", "ROUGE_L"] {
      #expect(abs(try #require(scores[name]?.double) - 100) < 1e-5, "\(name)")
    }
    let table = try corpus.run(words)
    #expect(table.output.contains("Bleu_4") && table.output.contains("100.00"))
    #expect(table.errors.contains("--meteor-data"))
  }
}
