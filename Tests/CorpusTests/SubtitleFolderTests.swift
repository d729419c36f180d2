import Formats
import Foundation
import TestSupport
import Testing

@testable import Corpus

@Suite("Subtitle stores from subtitle files")
struct SubtitleFolderTests {
  private func builder(_ folder: TemporaryFolder, frames: String) throws -> TextStoreBuilder {
    var builder = TextStoreBuilder(
      task: .subtitles, annotation: folder.path("subtitles"), output: folder.path("out.db"),
      tokenizer: try folder.tokenizer())
    builder.vid2nframe = try folder.file("frames.json", frames)
    return builder
  }

  @Test func aFolder() throws {
    let folder = try TemporaryFolder()
    _ = try folder.file("subtitles/one.en.srt", "1\n00:00:00,500 --> 00:00:02,000\nab &amp; c\n")
    _ = try folder.file("subtitles/one.fr.srt", "1\n00:00:00,500 --> 00:00:02,000\nde\n")
    _ = try folder.file("subtitles/deep/two.v2.vtt", "WEBVTT\n\n00:01.000 --> 00:02.000\nfg\n")
    _ = try folder.file("subtitles/stranger.srt", "1\n00:00:00,500 --> 00:00:02,000\nhi\n")
    _ = try folder.file("subtitles/broken.srt", "not subtitles")
    var told: [String] = []
    let report = try builder(folder, frames: #"{"one": 4, "two.v2": 2, "silent": 7, "broken": 3}"#)
      .build { told.append($0) }
    #expect(report.rows == 2 && report.skipped == 2)
    #expect("\(report)".contains("2 videos have no subtitles"))
    #expect(told.contains { $0.contains("one.fr.srt") } && told.contains { $0.contains("stranger") })
    #expect(told.contains { $0.contains("broken.srt") })

    let store = try SubtitleStore(path: folder.path("out.db"))
    let videos = try storeEntries(folder.path("out.db")).map(\.key)
    #expect(Set(videos) == ["one", "two.v2", "silent", "broken"])
    #expect(try store.sentences(of: "one") == [SpokenSentence(start: 0.5, end: 2, text: "ab & c")])
    let one = try store.subtitles(of: "one")
    #expect(one.sentences.count == 1 && one.frames.count == 1 && one.frames[0].frames == [0, 1])
    // A video without subtitles is cut into pieces of five frames without text.
    #expect(try store.subtitles(of: "silent").frames.map(\.frames) == [[0, 1, 2, 3, 4], [5, 6]])
    #expect(try store.sentences(of: "silent").isEmpty)
  }

  /// A file given twice is read once, and formats that are not read are reported.
  @Test func filesGivenTwiceAndFormatsThatAreNotRead() throws {
    let folder = try TemporaryFolder()
    let file = try folder.file("s/one.srt", "1\n00:00:00,500 --> 00:00:02,000\nab\n")
    _ = try folder.file("s/two.scc", "Scenarist_SCC V1.0\n")
    var told: [String] = []
    let paths = [file, folder.path("s/./one.srt"), folder.path("s"), folder.path("s/")]
    let list = try SubtitleFileList(paths: paths) { told.append($0) }
    #expect(list.byVideo { $0 == "one" }.map(\.video) == ["one"])
    #expect(
      told == [
        "\(folder.path("s/./one.srt")): is given twice and read once",
        "\(folder.path("s"))/two.scc: subtitles of this format are not read. Convert them to .srt",
        "\(folder.path("s/")): is given twice and read once",
      ], "\(told)")
  }

  @Test(arguments: [
    ("clip.en.srt", "clip"), ("clip.pt-BR.vtt", "clip"), ("clip.eng.forced.srt", "clip"),
    ("clip.zh-Hans.srt", "clip"),
    ("clip.es-419.srt", "clip"), ("clip.final.srt", "clip.final"), ("clip.SRT", "clip"),
    ("a.b.c.de.srt", "a.b.c"), ("clip.mp4.srt", "clip"), ("clip.mkv.en.srt", "clip"),
    ("clip.mp4.srt", "clip.mp4"),
    ("clip.en.json3", "clip"), ("clip.sbv", "clip"), ("clip_eng.srt", "clip"), ("clip-en.srt", "clip"),
    ("clip_eng.srt", "clip_eng"), ("clip Polish.srt", "clip"), ("clip_en_forced.srt", "clip"),
    ("clip [forced].srt", "clip"), ("clip.English (SDH).srt", "clip"), ("clip.en.2.srt", "clip"),
    ("clip.en[cc].srt", "clip"), ("clip.Signs & Songs.ass", "clip"), ("clip.2.en.srt", "clip.2"),
  ])
  func namesOfVideos(_ file: String, _ video: String) throws {
    let folder = try TemporaryFolder()
    let path = try folder.file(file, "1\n00:00:00,500 --> 00:00:02,000\nab\n")
    let found = try SubtitleFileList(paths: [path]).byVideo { $0 == video }
    #expect(found.map(\.video) == [video])
  }

  /// Whisper's `.json` files are read as subtitles, and other `.json` files are not.
  @Test func jsonOfSpeechRecognizers() throws {
    let folder = try TemporaryFolder()
    let whisper = try folder.file(
      "subtitles/one.json", #"{"text": "ab", "segments": [{"start": 0, "end": 2, "text": " ab"}]}"#)
    _ = try folder.file("subtitles/one.info.json", #"{"id": "one", "duration": 3}"#)
    let rows = try folder.file("rows.json", #"[{"vid_name": "one", "sub": []}]"#)
    #expect(SubtitleFileList.isMeant(by: whisper) && !SubtitleFileList.isMeant(by: rows))
    var told: [String] = []
    let report = try builder(folder, frames: #"{"one": 4}"#).build { told.append($0) }
    #expect(report.rows == 1 && report.skipped == 0 && told.isEmpty, "\(told)")
    let store = try SubtitleStore(path: folder.path("out.db"))
    #expect(try store.sentences(of: "one") == [SpokenSentence(start: 0, end: 2, text: "ab")])
  }

  /// Subtitles named after a language alone belong to the video that their folder is named after,
  /// or to the only video in it.
  @Test(arguments: [
    ("Subs/clip/2_English.srt", "clip"), ("clip/English.srt", "clip"), ("clip/Subs/eng.srt", "clip"),
    ("Subs/clip/3_eng,English [SDH].srt", "clip"), ("clip/subtitles/pt-BR.srt", "clip"),
    ("one/Subs/2_English.srt", "alone"), ("Subs/clip/other.srt", "other"), ("clip/9.en.mp3.srt", "9.en.mp3"),
    ("two/Subs/English.srt", "English"), ("clip/en.srt", "en"),
  ])
  func foldersOfVideos(_ file: String, _ video: String) throws {
    let folder = try TemporaryFolder()
    let path = try folder.file("v/\(file)", "1\n00:00:00,500 --> 00:00:02,000\nab\n")
    for name in ["one/alone.mkv", "two/alone.mkv", "two/clip.mkv"] { _ = try folder.file("v/\(name)", "") }
    let known = file == "clip/en.srt" ? ["clip", "en"] : ["clip", "alone"]
    #expect(try SubtitleFileList(paths: [path]).byVideo { known.contains($0) }.map(\.video) == [video])
  }

  /// Among files of one language whose names do not say which is forced, the longest comes first.
  @Test func theLongestOfAFolderComesFirst() throws {
    let folder = try TemporaryFolder()
    let cue = "1\n00:00:00,500 --> 00:00:02,000\nab\n\n"
    for (name, times) in [("2_English", 1), ("3_English", 5), ("4_French", 9)] {
      _ = try folder.file("v/Subs/clip/\(name).srt", String(repeating: cue, count: times))
    }
    let found = try SubtitleFileList(paths: [folder.path("v")]).byVideo { $0 == "clip" }
    #expect(
      found.map(\.paths) == [
        ["3_English", "2_English", "4_French"].map { folder.path("v/Subs/clip/\($0).srt") }
      ])
  }

  @Test func forcedInBracketsComesLast() throws {
    let folder = try TemporaryFolder()
    for name in ["clip (forced).srt", "clip.en[forced].srt", "clip.English (SDH).srt"] {
      _ = try folder.file("s/\(name)", "1\n00:00:00,500 --> 00:00:02,000\nab\n")
    }
    let found = try SubtitleFileList(paths: [folder.path("s")]).byVideo { $0 == "clip" }
    #expect(found.map { $0.paths.first } == [folder.path("s/clip.English (SDH).srt")])
  }

  /// A suffix that is no language belongs to the name: `part_one` is not `part`.
  @Test(arguments: ["clip_one.srt", "clip_2.srt", "clip_theend.srt"])
  func namesOfOthers(_ file: String) throws {
    let folder = try TemporaryFolder()
    let path = try folder.file(file, "1\n00:00:00,500 --> 00:00:02,000\nab\n")
    #expect(
      try SubtitleFileList(paths: [path]).byVideo { $0 == "clip" }.map(\.video) == [String(file.dropLast(4))])
  }

  @Test func anUnderscoreBeforeALanguageRanksIt() throws {
    let folder = try TemporaryFolder()
    for name in ["clip_fre.srt", "clip_eng.srt"] {
      _ = try folder.file("s/\(name)", "1\n00:00:00,500 --> 00:00:02,000\nab\n")
    }
    let found = try SubtitleFileList(paths: [folder.path("s")]).byVideo { $0 == "clip" }
    #expect(found.map(\.paths) == [["clip_eng.srt", "clip_fre.srt"].map { folder.path("s/\($0)") }])
  }

  /// MicroDVD's times count frames of the video, and subtitles that are pictures are reported.
  @Test func framesOfTheVideo() throws {
    let folder = try TemporaryFolder()
    _ = try folder.file("subtitles/one.sub", "{5}{20}ab\n")
    _ = try folder.file("subtitles/two.txt", "[5][20]cd\n")
    _ = try folder.file("subtitles/note.txt", "what this is")
    try Data([0, 0, 1, 0xBA, 0x44]).write(to: URL(fileURLWithPath: folder.path("subtitles/three.sub")))
    var told: [String] = []
    var builder = try builder(folder, frames: #"{"one": 4, "two": 4, "three": 4}"#)
    builder.subtitleFrameRate = { $0.hasSuffix("/one.sub") && $1 == "one" ? 10 : nil }
    try builder.build { told.append($0) }
    let named = ["three.sub", "note.txt"].map { name in told.contains { $0.contains(name) } }
    #expect(named == [true, false], "\(told)")
    let store = try SubtitleStore(path: folder.path("out.db"))
    #expect(try store.sentences(of: "one") == [SpokenSentence(start: 0.5, end: 2, text: "ab")])
    #expect(try store.sentences(of: "two") == [SpokenSentence(start: 0.5, end: 2, text: "cd")])
  }

  /// Durations in milliseconds are refused, since they would be copied into the store.
  @Test func durationsInMilliseconds() throws {
    let folder = try TemporaryFolder()
    _ = try folder.file("subtitles/one.srt", "1\n00:00:00,500 --> 00:00:02,000\nab\n")
    func build(_ durations: String) throws {
      var builder = try builder(folder, frames: #"{"one": 4, "two": 40, "three": 20}"#)
      builder.vid2durIdx = try folder.file("durations.json", durations)
      try builder.build()
    }
    let error = #expect(throws: DataError.self) {
      try build(#"{"val": {"one": [6000, 0], "two": [60000, 1], "three": [30000, 2]}}"#)
    }
    #expect(error?.description.contains("milliseconds") == true)
    try build(#"{"val": {"one": [6, 0], "two": [60, 1], "three": [30, 2]}}"#)
  }

  @Test func aNameThatLooksLikeALanguageIsKept() throws {
    let folder = try TemporaryFolder()
    let path = try folder.file("talk.at.srt", "1\n00:00:00,500 --> 00:00:02,000\nab\n")
    #expect(try SubtitleFileList(paths: [path]).byVideo { $0 == "talk.at" }.map(\.video) == ["talk.at"])
    #expect(try SubtitleFileList(paths: [path]).byVideo { $0 == "talk" }.map(\.video) == ["talk"])
  }

  /// Full files come before forced ones, then the language decides, then files without noises come
  /// first.
  @Test func theFullestFileIsTaken() throws {
    let folder = try TemporaryFolder()
    let text = "1\n00:00:00,500 --> 00:00:02,000\nab\n"
    for name in ["one.en.forced.srt", "one.fr.srt", "one.en.sdh.vtt", "one.en.ass", "two.forced.en.srt"] {
      _ = try folder.file("s/\(name)", text)
    }
    let list = try SubtitleFileList(paths: [folder.path("s")])
    let found = list.byVideo { $0 == "one" || $0 == "two" }
    #expect(found.map(\.video) == ["one", "two"])
    #expect(
      found[0].paths.map { String($0.dropFirst(folder.path("s/").count)) } == [
        "one.en.ass", "one.en.sdh.vtt", "one.fr.srt", "one.en.forced.srt",
      ])
    #expect(list.complete { $0 == "one" || $0 == "two" } == [Array("one".utf8)])
  }

  @Test func aFileWithoutTextGivesWay() throws {
    let folder = try TemporaryFolder()
    _ = try folder.file("subtitles/one.srt", "damaged")
    _ = try folder.file("subtitles/one.en.srt", "\n")
    _ = try folder.file("subtitles/one.fr.srt", "1\n00:00:00,500 --> 00:00:02,000\nab\n")
    var told: [String] = []
    #expect(try builder(folder, frames: #"{"one": 4}"#).build { told.append($0) }.rows == 1)
    #expect(told.contains { $0.contains("one.srt") && $0.contains("no cue") })
    #expect(try SubtitleStore(path: folder.path("out.db")).sentences(of: "one").map(\.text) == ["ab"])
  }

  @Test func nothingToReadIsAnError() throws {
    let folder = try TemporaryFolder()
    try FileManager.default.createDirectory(
      atPath: folder.path("subtitles"), withIntermediateDirectories: true)
    #expect(throws: DataError.self) { try builder(folder, frames: #"{"a": 1}"#).build() }
    _ = try folder.file("subtitles/b.srt", "1\n00:00:00,500 --> 00:00:02,000\nab\n")
    #expect(throws: DataError.self) { try builder(folder, frames: #"{"a": 1}"#).build() }
  }
}
