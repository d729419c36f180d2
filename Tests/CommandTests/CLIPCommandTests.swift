import Formats
import Foundation
import SearchTestSupport
import TestSupport
import Testing

@testable import Search

/// `hero index --clip` and `hero search` without a trained model, with small videos and a small
/// CLIP.
@Suite(.ownThreads) struct CLIPCommandTests {
  private let own: OwnVideoIndex

  init() throws {
    own = try OwnVideoIndex()
    try own.add("plain.mp4", as: "one.mp4")
    try own.add("plain.mkv", as: "sub/two.mkv")
    try own.add("subtitles.mkv", as: "three.mkv")
    _ = try own.folder.file("v/one.en.srt", "1\n00:00:00,500 --> 00:00:01,500\nA zebra &amp; a door\n")
  }

  private func hero(_ arguments: String...) throws -> HeroProcess {
    try HeroProcess(arguments: arguments, folder: own.folder.root)
  }

  private func index(_ more: String..., clip: String = "openclip-quick") throws -> HeroProcess {
    try HeroProcess(
      arguments: [
        "index", "--videos", own.folder.path("v"), "--clip", CLIPRows.path(clip), "--output", own.index,
      ] + more, folder: own.folder.root)
  }

  private var words: [String] { ["--clip-vocabulary", Fixtures.path("CLIP/words")] }

  @Test func videosAreIndexedAndFound() throws {
    let without = try index()
    #expect(without.status == 1 && without.errors.contains("--clip-vocabulary"))
    #expect(!FileManager.default.fileExists(atPath: own.index + ".work"))

    let made = try index(words[0], words[1])
    #expect(made.status == 0, "\(made.errors)")
    #expect(made.output.contains("3 videos added"))
    #expect(try own.videos().count == 3 && own.said("one") == ["A zebra & a door"])
    let again = try index(words[0], words[1])
    #expect(again.status == 0 && again.output.contains("0 videos added, 3 were there"))

    let found = try hero("search", "--index", own.index, "--json", "the zebras at a door")
    #expect(found.status == 0, "\(found.errors)")
    let json = try JSON.parse(found.output)
    #expect(json["ranking"]?["by"]?.string == "clip")
    let first = try #require(json["moments"]?.array?.first)
    #expect(first["video"]?.string == "one" && first["subtitle_rank"]?.int == 1)
    #expect(first["cosine"]?.double.map { abs($0) <= 1.0001 } == true)
    #expect(
      Set((json["moments"]?.array ?? []).compactMap { $0["video"]?.string }) == ["one", "two", "three"])

    let long = try hero(
      "search", "--index", own.index, [String](repeating: "zebra", count: 30).joined(separator: " "))
    #expect(long.status == 0 && long.errors.contains("what comes last is not searched for"))
    let list = try hero("index", "--list", "--output", own.index)
    #expect(list.errors.contains("made with the CLIP of"))
    #expect(try hero("index", "--check", "--output", own.index).output.contains("made with the CLIP of"))

    // A disk that fills up before the first video leaves such an index.
    let empty = own.folder.path("empty.index")
    try IndexWriter(path: empty, head: try IndexFile(path: own.index).head).commit()
    let none = try hero("search", "--index", empty, "a door")
    #expect(none.status == 1 && none.errors.contains("holds no videos"), "\(none.errors)")
  }

  /// Moments are cut into files, a missing video is reported, and nothing is overwritten.
  @Test func momentsAreCutOut() throws {
    #expect(try index(words[0], words[1]).status == 0)
    try FileManager.default.removeItem(atPath: own.folder.path("v/sub/two.mkv"))
    let cuts = own.folder.path("cuts/deep")
    let run = try hero("search", "--index", own.index, "--json", "--cut", cuts, "a door")
    #expect(run.status == 0 && run.errors.contains("two.mkv: the video's file is not there"), "\(run.errors)")
    let moments = try #require(try JSON.parse(run.output)["moments"]?.array)
    let files = Set(moments.compactMap { $0["cut"]?.string })
    #expect(files.count >= 2 && moments.contains { $0["video"]?.string == "two" && $0["cut"] == .null })
    for file in files {
      let name = (file as NSString).lastPathComponent
      #expect(name.wholeMatch(of: /(one|three)_[0-9]+\.[0-9]-[0-9]+\.[0-9]\.(mp4|mkv)/) != nil)
    }
    #expect(try Set(FileManager.default.contentsOfDirectory(atPath: cuts).map { "\(cuts)/\($0)" }) == files)
    let again = try hero("search", "--index", own.index, "--cut", cuts, "a door")
    #expect(again.status == 1 && again.errors.contains("exists already") && again.output.contains("one"))
    let shown = try hero(
      "search", "--index", own.index, "--limit", "1", "--cut", own.folder.path("c"), "zebra")
    #expect(shown.status == 0 && shown.output.contains("c/one_") && shown.output.contains("shown from"))
    let playlist = try hero("search", "--index", own.index, "--m3u", "--cut", cuts, "a door")
    #expect(playlist.status == 2 && playlist.errors.contains("--cut"))
  }

  /// Results come in other programs' formats: one document holds one query, several rows one
  /// header.
  @Test func momentsGoOn() throws {
    let made = try index(words[0], words[1], "--json")
    #expect(try JSON.parse(made.output)["added"]?.int == 3, "\(made.errors)")
    let list = try JSON.parse(try hero("index", "--list", "--json", "--output", own.index).output)
    #expect(list.array?.compactMap { $0["state"]?.string } == ["there", "there", "there"])
    let search = ["search", "--index", own.index, "--limit", "2"]
    func found(_ words: String...) throws -> HeroProcess {
      try HeroProcess(arguments: search + words, folder: own.folder.root)
    }
    let json = try JSON.parse(try found("--format", "json", "a door").output)
    let rows = try found("--format", "jsonl", "--cut", own.folder.path("rows"), "a door").output
    let lines = try rows.split(separator: "\n").map { try JSON.parse(String($0)) }
    #expect(lines.map { $0["score"] } == json["moments"]?.array?.map { $0["score"] })
    #expect(lines.allSatisfy { $0["cut"]?.string != nil && $0["file"]?.string != nil })
    #expect(try found("--format", "csv", "a door").output.hasPrefix("query,rank,video"))
    #expect(try JSON.parse(try found("--format", "fiftyone", "a door").output)["labels"]?.object?.count == 2)
    #expect(try JSON.parse(try found("--format", "via", "a door").output)["file"]?.object?.count == 2)
    #expect(try JSON.parse(try found("--json", "--", "--a door").output)["query"] == "--a door")
    for words in [
      ["--format", "csv", "--json"], ["--format", "via", "--cut", "c"], ["--format", "xlsx"],
    ] {
      let refused = try HeroProcess(arguments: search + words + ["a door"], folder: own.folder.root)
      #expect(refused.status == 2, "\(words): \(refused.errors)")
    }
    let two = try HeroProcess(arguments: search + ["--format", "via", "--interactive"])
    #expect(two.status == 2 && two.errors.contains("--interactive"))
    let checked = try hero("index", "--check", "--json", "--output", own.index)
    #expect(checked.status == 2 && checked.errors.contains("--json"))
  }

  /// An index refuses another CLIP, a trained run, and the flags of either.
  @Test func nothingIsMixed() throws {
    #expect(try index(words[0], words[1]).status == 0)
    for clip in ["openclip", "huggingface"] {
      let other = try index(words[0], words[1], clip: clip)
      #expect(other.status == 1 && other.errors.contains("another model"), "\(other.errors)")
    }
    // Without the index, its stored features still belong to the other weights.
    try FileManager.default.removeItem(atPath: own.index)
    let kept = try index(words[0], words[1], clip: "openclip")
    #expect(kept.status == 1 && kept.errors.contains("other weights"), "\(kept.errors)")
    #expect(try index(words[0], words[1]).status == 0)
    let trained = try own.run()
    #expect(trained.status == 1 && trained.errors.contains("made with the CLIP of"), "\(trained.errors)")
    for flags in [["--model-dir", own.folder.path("run")], ["--tokenizer", "x"], ["--nms-thd", "0.5"]] {
      let refused = try HeroProcess(
        arguments: ["search", "--index", own.index] + flags + ["a door"], folder: own.folder.root)
      #expect(refused.status == 2 && refused.errors.contains(flags[0]), "\(refused.errors)")
    }
    let served = try hero("serve", "--index", own.index, "--annotations", "x.jsonl")
    #expect(served.status == 2 && served.errors.contains("--annotations"))
    for flags in [
      ["--tokenizer", "x"], ["--resnet", "x"], ["--batch-size", "3"], ["--frame-length", "0.7777"],
    ] {
      let refused = try index(flags[0], flags[1])
      #expect(refused.status == 2 && refused.errors.contains(flags[0]), "\(refused.errors)")
    }
  }

  /// A trained run that reads CLIP's features beside SlowFast's indexes videos.
  @Test func runsOfOtherFeaturesIndexVideos() throws {
    let other = try OwnVideoIndex(features: ("clip-vit_slowfast", 10))
    try other.add("plain.mp4", as: "one.mp4")
    let (clip, slowfast) = (CLIPRows.path("openclip-quick"), other.folder.path("slowfast.safetensors"))
    func run(_ flags: String...) throws -> HeroProcess {
      try HeroProcess(
        arguments: [
          "index", "--model-dir", other.folder.path("run"), "--checkpoint", "latest", "--videos",
          other.folder.path("v"), "--tokenizer", other.folder.path("tokenizer"), "--output", other.index,
        ] + flags, folder: other.folder.root)
    }
    let lacking = try run("--slowfast", slowfast)
    #expect(lacking.status == 2 && lacking.errors.contains("--clip"), "\(lacking.errors)")
    let extra = try run("--clip", clip, "--slowfast", slowfast, "--resnet", "x")
    #expect(extra.status == 2 && extra.errors.contains("--resnet"), "\(extra.errors)")
    let made = try run("--clip", clip, "--slowfast", slowfast)
    #expect(made.status == 0, "\(made.errors)")
    #expect(try other.videos().count == 1)
    #expect(try IndexFile(path: other.index).head.kind == .trained)
    let again = try run("--clip", clip, "--slowfast", slowfast)
    #expect(again.status == 0 && again.output.contains("0 videos added, 1 were there"), "\(again.errors)")
  }
}
