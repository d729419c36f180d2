import Formats
import Foundation
import TestSupport
import Testing

/// `hero check` names the kind of every file that a run reads or writes.
@Suite(.ownThreads) struct CheckCommandTests {
  private let corpus: SmallCorpus
  private var folder: TemporaryFolder { corpus.folder }

  /// The corpus with a run and an index, made once.
  private static let whole = Result {
    let corpus = try SmallCorpus()
    corpus.folder.removeAtExit()
    try corpus.run([
      "finetune", "--config", "finetune.json", "--num-train-steps", "1", "--valid-steps", "1", "--output-dir",
      "run",
    ])
    try corpus.run([
      "index", "--model-dir", "run", "--vfeat-db", "video_db/tv", "--sub-txt-db", "txt_db/subtitles.db",
      "--output", "tv.index",
    ])
    return corpus
  }

  init() throws { corpus = try SmallCorpus(copying: Self.whole.get()) }

  private func check(_ path: String) throws -> JSON {
    let checked = try corpus.run(["check", "--json", path])
    return try JSON.parse(Array(checked.output.utf8), file: "")
  }

  private func fact(_ name: String, of report: JSON) -> String? { report["facts"]?[name]?.string }

  @Test func everythingThatARunReadsAndMakes() throws {
    let kinds = [
      "run": "a run of tvr", "run/ckpt/model_step_1.safetensors": "a HERO", "tv.index": "an index",
      "txt_db/val.db": "a store of texts of tvr", "txt_db/val.db/data.mdb": "a store of texts of tvr",
      "txt_db/subtitles.db": "a store of subtitles",
      "video_db/tv": "a folder of 1 stores", "video_db/tv/resnet_slowfast_1.5": "a store of features",
      "corpus/tokenizer": "a tokenizer",
      "corpus/features": "a folder of features",
      "corpus/ann/tvr_val.jsonl": "an annotation as of tvr",
      "corpus/ann/tv_subtitles.jsonl": "an annotation as of subtitles",
      "corpus/ann/vid2dur_idx.json": "a list of videos with their lengths",
      "corpus/ann/tv_vid2nframe.json": "a list of numbers", "finetune.json": "the options of a run of tvr",
      "run/log/model_config.json": "a model's configuration",
      "run/results/val_results_1.json": "predictions",
    ]
    for (path, kind) in kinds {
      let found = try #require(try check(path)["is"]?.string)
      #expect(found.hasPrefix(kind), "\(path) is \(found)")
    }
  }

  /// A text file is not taken for a damaged checkpoint.
  @Test func textOfAnUnknownKind() throws {
    let path = try folder.file("captions.xyz", "a line, so to say – and another\n")
    let checked = try HeroProcess("check", path)
    #expect(checked.status == 1)
    #expect(
      (checked.output + checked.errors).contains(
        "captions.xyz: is text, of a kind that its name does not tell"))
  }

  /// A video with two tracks has two facts of one name, and options may lack a task or be nested.
  @Test func factsOfOneNameAndOptions() throws {
    try FileManager.default.copyItem(
      atPath: Fixtures.path("Vision/subtitles.mkv"), toPath: folder.path("two.mkv"))
    let tracks = try #require(try check("two.mkv")["facts"]?["subtitles"]?.array)
    #expect(tracks.count > 1 && Set(tracks.compactMap(\.string)).count == tracks.count, "\(tracks)")
    _ = try folder.file("tuned.json", #"{"q2c_alpha": 30, "nms_thd": 0.5}"#)
    let tuned = try check("tuned.json")
    #expect(tuned["is"]?.string?.hasPrefix("options of a run, of a task that they do not name") == true)
    _ = try folder.file("inner.json", #"{"epoch": 1, "args": {"task": "tvr", "seed": 5}}"#)
    let inner = try check("inner.json")
    #expect(inner["is"]?.string == "the options of a run of tvr")
    #expect(inner["notes"]?.array?.first?.string?.contains("under \"args\"") == true)
  }

  @Test func whatFits() throws {
    let model = try check("run/ckpt/model_step_1.safetensors")
    #expect(fact("features", of: model) == "16 numbers a frame")
    #expect(fact("heads", of: model) == "moments and videos (tvr, how2r, …)")
    #expect(
      model["for"]?.array?.contains("hero finetune --checkpoint run/ckpt/model_step_1.safetensors") == true)
    #expect(fact("features", of: try check("video_db/tv/resnet_slowfast_1.5")) == "16 numbers a frame")
    #expect(fact("rows", of: try check("corpus/ann/tvr_val.jsonl")) == "12")
    #expect(fact("split val", of: try check("txt_db/subtitles.db")) == "6 videos")
    // The heads of pre-training get no gradient in this task.
    let still = try #require(fact("1: without a gradient", of: try check("run")))
    #expect(still.wholeMatch(of: /[1-9][0-9]* of [0-9]+ arrays: .*/) != nil, "\(still)")
    #expect(still.contains("v_encoder.f_encoder.pooler.dense.weight"))
  }

  @Test func whatIsWrongIsNamed() throws {
    let weights = try Safetensors.read(path: folder.path("run/ckpt/model_step_1.safetensors")).tensors
    let arrays = weights.map { tensor in
      let isDamaged = tensor.name == "video_query_linear.bias"
      let count = tensor.array.count
      return (
        name: tensor.name,
        array: isDamaged
          ? NDArray(floats: [.nan] + [Float](repeating: 0, count: count - 1), shape: tensor.array.shape)
          : tensor.array
      )
    }
    try Safetensors.write(path: folder.path("nan.safetensors"), tensors: arrays)
    try Data("<!doctype html><html></html>".utf8).write(to: URL(fileURLWithPath: folder.path("page.pt")))
    try Data(#"{"colour": "red"}"#.utf8).write(to: URL(fileURLWithPath: folder.path("other.json")))
    for (path, words) in [
      ("nan.safetensors", "video_query_linear.bias"), ("page.pt", "a web page"), ("other.json", "colour"),
      ("nowhere", "there is no such file"), ("corpus", "is a folder with"),
    ] {
      let checked = try HeroProcess(arguments: ["check", path, "tv.index"], folder: folder.root)
      #expect(checked.status == 1)
      #expect(checked.errors.contains(path) && checked.errors.contains(words), "\(path): \(checked.errors)")
      // The other file is still reported.
      #expect(checked.output.contains("an index"))
    }
  }
}
