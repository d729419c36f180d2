import Formats
import Foundation
import TestSupport
import Testing

@Suite("From videos to moments, by the program itself", .ownThreads)
struct SearchCommandTests {
  /// An index of an older version is reported as slow, with the cure.
  @Test(arguments: ["--list", "--check"]) func olderCodesAreTold(_ flag: String) throws {
    let old = try HeroProcess("index", flag, "--output", Fixtures.path("Search/version2.index"))
    #expect(old.errors.contains("frames have codes of an older version"), "\(old.errors)")
    #expect(old.errors.contains("Run the command that made the index again"))
  }

  @Test func indexAndSearch() throws {
    let corpus = try SmallCorpus()
    for seed in ["1", "2"] {
      try corpus.run([
        "finetune", "--config", "finetune.json", "--output-dir", "run\(seed)", "--seed", seed,
        "--num-train-steps", "2",
        "--valid-steps", "2", "--save-steps", "2",
      ])
    }
    try theRunGoesOn(corpus)
    // Half of the videos get subtitle files as players have them.
    let rows = try String(
      contentsOfFile: corpus.folder.path("corpus/ann/tv_subtitles.jsonl"), encoding: .utf8)
    for row in try rows.split(separator: "\n").prefix(18).map({ try JSON.parse(String($0)) }) {
      let name = try #require(row["vid_name"]?.string)
      let cues = (row["sub"]?.array ?? []).map { sentence in
        let times = ["start", "end"].map { key -> String in
          let thousandths = Int(((sentence[key]?.double ?? 0) * 1000).rounded())
          return String(
            format: "00:%02d:%02d,%03d", thousandths / 60_000, thousandths / 1000 % 60, thousandths % 1000)
        }
        return "1\n\(times[0]) --> \(times[1])\n<i>\(sentence["text"]?.string ?? "")</i>\n"
      }
      _ = try corpus.folder.file("subtitles/\(name).en.srt", cues.joined(separator: "\n"))
    }
    let made = try corpus.run([
      "create-txtdb", "--task", "subtitles", "--annotation", "subtitles", "--vfeat-db", "video_db/tv",
      "--output",
      "txt_db/own.db", "--tokenizer", "corpus/tokenizer",
    ])
    #expect(
      made.output.contains("18 rows stored, 0 skipped") && made.output.contains("18 videos have no subtitles")
    )

    let index = [
      "index", "--vfeat-db", "video_db/tv", "--sub-txt-db", "txt_db/own.db", "--output", "own.index",
    ]
    #expect(
      try corpus.run(index + ["--model-dir", "run1"]).output.contains(
        "36 videos added, 0 were there, 0 left out"))
    #expect(try corpus.run(index + ["--model-dir", "run1"]).output.contains("0 videos added, 36 were there"))
    let other = try HeroProcess(arguments: index + ["--model-dir", "run2"], folder: corpus.folder.root)
    #expect(other.status == 1 && other.errors.contains("weights differ") && other.errors.contains("run1"))
    #expect(try corpus.run(["index", "--check", "--output", "own.index"]).output.contains("all as written"))
    let list = try corpus.run(["index", "--list", "--output", "own.index"])
    #expect(list.output.split(separator: "\n").count { $0.contains("no file") } == 36)

    let search = ["search", "--index", "own.index"]
    let found = try JSON.parse(try corpus.run(search + ["--json", "--limit", "3", "a man walks"]).output)
    let moments = try #require(found["moments"]?.array)
    #expect(found["approximate"] == false)
    #expect(
      moments.count == 3 && moments.allSatisfy { ($0["end"]?.double ?? 0) > ($0["start"]?.double ?? 0) })
    #expect(try corpus.run(search + ["a", "man", "walks"]).output.contains("said there"))
    // The run's options may stand anywhere, each followed by its values.
    for words in [
      ["--nms-thd=-1", "a man"], ["--nms-thd", "-1", "a man"], ["a", "--nms-thd", "-1", "man"],
    ] {
      let overridden = try JSON.parse(try corpus.run(search + ["--json"] + words).output)
      #expect(overridden["query"] == "a man")
    }
    let refused = try HeroProcess(
      arguments: search + ["--model-dir", "run2", "a"], folder: corpus.folder.root)
    #expect(refused.status == 1 && refused.errors.contains("weights differ"))
    let unplayable = try HeroProcess(arguments: search + ["--m3u", "a"], folder: corpus.folder.root)
    #expect(unplayable.status == 1 && unplayable.errors.contains("names no files"))
    #expect(try HeroProcess(arguments: search, folder: corpus.folder.root).status == 2)
  }

  /// Checks that a run has a model card, and that its export in the Hub's layout starts another
  /// run.
  private func theRunGoesOn(_ corpus: SmallCorpus) throws {
    let files = FileManager.default
    func text(_ name: String) throws -> String {
      try String(contentsOfFile: corpus.folder.path(name), encoding: .utf8)
    }
    let card = try text("run1/README.md")
    #expect(card.hasPrefix("---\nlibrary_name: hero\n") && card.contains("model-index:"))
    #expect(try JSON.parse(try text("run1/config.json"))["model_type"] == "hero")
    let written = try corpus.run(["export", "--output-dir", "run1", "--format", "hub", "--output", "hub"])
    #expect(written.output == "hub\n")
    #expect(
      try files.contentsOfDirectory(atPath: corpus.folder.path("hub")).sorted()
        == ["README.md", "config.json", "model.safetensors"])
    let again = try HeroProcess(
      arguments: ["export", "--output-dir", "run1", "--format", "hub", "--output", "hub"],
      folder: corpus.folder.root)
    #expect(again.status == 1)
    // A user's own card stays, in a run that takes its weights and shape from the exported folder.
    try files.createDirectory(atPath: corpus.folder.path("run3"), withIntermediateDirectories: true)
    _ = try corpus.folder.file("run3/README.md", "mine")
    var settings = try #require(try JSON.parse(try text("finetune.json")).object)
    settings["model_config"] = nil
    settings["checkpoint"] = "hub"
    _ = try corpus.folder.file("from-hub.json", JSON.object(settings).encoded())
    let run = try corpus.run([
      "finetune", "--config", "from-hub.json", "--output-dir", "run3", "--num-train-steps", "0",
    ])
    #expect(run.errors.contains("README.md is none of this program's and stays"))
    #expect(!run.errors.contains("unknown key"))
    #expect(try text("run3/README.md") == "mine")
    let weights = try files.contentsOfDirectory(atPath: corpus.folder.path("run3/ckpt"))
    #expect(weights.contains("model_step_0.safetensors"))
    let one = try WeightFile(path: corpus.folder.path("hub"))
    let other = try WeightFile(path: corpus.folder.path("run3/ckpt/model_step_0.safetensors"))
    #expect(!one.names.isEmpty && Set(one.names) == Set(other.names))
    for name in one.names { #expect(try one.array(name)?.floats() == other.array(name)?.floats(), "\(name)") }
  }
}
