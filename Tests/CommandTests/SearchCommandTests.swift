import Formats
import Foundation
import TestSupport
import Testing

@Suite("From videos to moments, by the program itself")
struct SearchCommandTests {
  /// An index of an older version says why it is slow, and what helps.
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
    // Subtitles as players have them, for half of the videos.
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
    // Options of the run stand anywhere, each with its own words.
    for words in [
      ["--nms-thd=-1", "a man"], ["--nms-thd", "-1", "a man"], ["a", "--nms-thd", "-1", "man"],
    ] {
      let overruled = try JSON.parse(try corpus.run(search + ["--json"] + words).output)
      #expect(overruled["query"] == "a man")
    }
    let refused = try HeroProcess(
      arguments: search + ["--model-dir", "run2", "a"], folder: corpus.folder.root)
    #expect(refused.status == 1 && refused.errors.contains("weights differ"))
    let unplayable = try HeroProcess(arguments: search + ["--m3u", "a"], folder: corpus.folder.root)
    #expect(unplayable.status == 1 && unplayable.errors.contains("names no files"))
    #expect(try HeroProcess(arguments: search, folder: corpus.folder.root).status == 2)
  }
}
