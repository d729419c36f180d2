import Formats
import Foundation
import TestSupport
import Testing

/// VALUE's fusion models in the commands, chosen by the keys of their configurations.
@Suite(.ownThreads) struct FusionCommandTests {
  private let corpus: SmallCorpus
  private var folder: TemporaryFolder { corpus.folder }

  init() throws { corpus = try SmallCorpus() }

  private func writeModel(_ model: String, _ method: String?) throws {
    var json = try JSON.read(path: folder.path("model.json"))
    json["model"] = .string(model)
    json["video_sub_fusion_method"] = method.map { .string($0) }
    try AtomicFile.write(json.encoded(), to: folder.path("fusion.json"))
  }

  private static let short = [
    "--model-config", "fusion.json", "--num-train-steps", "4", "--valid-steps", "4", "--train-batch-size",
    "4",
    "--vfeat-db", "video_db/tv", "--sub-txt-db", "txt_db/subtitles.db", "--output-dir", "run",
  ]
  private static let queries = [
    "--train-query-txt-db", "txt_db/train.db", "--val-query-txt-db", "txt_db/val.db",
  ]

  @Test(
    .timeLimit(.minutes(30)),
    arguments: [
      ("video_sub_feature_fusion", "add", "v_encoder.sub_transform.net.1.weight"),
      ("video_sub_feature_fusion", "concat", "v_encoder.video_sub_feature_transform.net.1.weight"),
      ("video_sub_sequence_model", nil, "v_encoder.frame_embeddings.img_linear.weight"),
    ] as [(String, String?, String)])
  func trainsAndEvaluates(model: String, method: String?, own: String) throws {
    try writeModel(model, method)
    try corpus.run(["finetune", "--task", "tvr"] + Self.short + Self.queries)
    let saved = try Safetensors.read(path: folder.path("run/ckpt/model_step_4.safetensors"))
    #expect(saved.tensors.contains { $0.name == own })
    #expect(!saved.tensors.contains { $0.name.contains("fom_output") })
    for more in [[], ["--channels", "video"]] {
      let run = try corpus.run(
        ["eval", "--split", "val", "--query-txt-db", "txt_db/val.db", "--output-dir", "run", "--json"]
          + ["--submission", "submission.json", "--overwrite"] + more)
      let metrics = try JSON.parse(run.output)
      let recall = try #require(metrics["valid_val_VR/VR_r1"]?.double)
      #expect(abs(recall - (try corpus.videoRecall(of: "submission.json", split: "val"))) <= 0.005)
    }
  }

  @Test(.timeLimit(.minutes(30))) func describesVideos() throws {
    try writeModel("video_sub_sequence_model", nil)
    for split in ["train", "val"] {
      try corpus.run([
        "create-txtdb", "--task", "yc2c", "--annotation", "corpus/ann/tvr_\(split).jsonl", "--output",
        "txt_db/yc2c_\(split).db", "--tokenizer", "corpus/tokenizer",
      ])
    }
    try corpus.run(
      ["finetune", "--task", "yc2c", "--train-db", "txt_db/yc2c_train.db", "--val-db", "txt_db/yc2c_val.db"]
        + Self.short)
    let video = try #require(
      try JSONLines.values(path: folder.path("corpus/ann/tvr_val.jsonl")).first?["vid_name"])
    let clip: JSON = ["vid_name": video, "clip_id": 1]
    try AtomicFile.write(clip.encoded() + "\n", to: folder.path("clips.jsonl"))
    try corpus.run([
      "caption", "--model-dir", "run", "--target-clip", "clips.jsonl", "--output", "captions.jsonl",
    ])
    #expect(try JSONLines.values(path: folder.path("captions.jsonl")).count == 1)
  }

  /// Unsupported uses of VALUE's fusion models are refused before anything is written.
  @Test(.timeLimit(.minutes(30))) func refusals() throws {
    try writeModel("video_sub_feature_fusion", "add")
    let alone = try HeroProcess(
      arguments: ["finetune", "--task", "tvr", "--channels", "subtitles"] + Self.short + Self.queries,
      folder: folder.root)
    #expect(alone.status == 1 && alone.errors.contains("fusion.json") && alone.errors.contains("--channels"))
    let pretraining = try HeroProcess(
      arguments: [
        "pretrain", "--config", "pretrain.json", "--model-config", "fusion.json", "--output-dir", "run",
      ], folder: folder.root)
    #expect(pretraining.status == 1 && pretraining.errors.contains("fine-tuned alone"))
    try writeModel("video_sub_feature_fusion", nil)
    let half = try HeroProcess(
      arguments: ["finetune", "--task", "tvr"] + Self.short + Self.queries, folder: folder.root)
    #expect(half.status == 1 && half.errors.contains("video_sub_fusion_method"))
    #expect(!FileManager.default.fileExists(atPath: folder.path("run")))
  }
}
