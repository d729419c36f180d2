import Formats
import Foundation
import TestSupport
import Testing

@testable import Corpus

@Suite struct TextStoreBuilderTests {
  private static let row = #"{"vid_name": "v", "ts": [0, 1.5], "desc": "ab?", "desc_id": 1}"#

  /// Returns the error's message, and checks that no output is left that looks whole.
  private func failure(
    _ folder: TemporaryFolder, _ builder: TextStoreBuilder, outputExists: Bool = false
  ) -> String {
    defer {
      #expect(folder.exists("out.db") == outputExists)
      #expect(!folder.exists("out.db.partial"))
    }
    do {
      try builder.build()
      return "no error"
    } catch {
      return "\(error)"
    }
  }

  @Test(arguments: Compression.allCases)
  func storesWithEveryCompression(_ compression: Compression) throws {
    let folder = try TemporaryFolder()
    var builder = try folder.builder(.tvr, Self.row)
    builder.compression = compression
    let report = try builder.build()
    #expect(report.rows == 1 && report.skipped == 0)
    let value = try #require(try LMDBReader(path: folder.path("out.db")).get("1"))
    #expect(Compression.detect(value) == compression)
    let entry = try MessagePack.decode(Compression.decompress(value))
    #expect(entry["qid"]?.string == "1")
    #expect(entry["input_ids"]?.array?.compactMap(\.int) == [5, 6, 32])
    #expect(entry["target"]?.array?.compactMap(\.double) == [0, 1.5])
    #expect(try folder.contents("out.db/query2video.json") == #"{"1": "v"}"#)
    #expect(try folder.contents("out.db/id2len.json") == #"{"1": 3}"#)
    #expect(try folder.contents("out.db/query_data.jsonl") == Self.row)
  }

  @Test func namesAMalformedLine() throws {
    for length in 1..<Self.row.count {
      let folder = try TemporaryFolder()
      let builder = try folder.builder(.tvr, "\(Self.row)\n\(Self.row.prefix(length))")
      #expect(failure(folder, builder).contains("annotation, line 2: "))
    }
  }

  @Test func skipsBadRowsByName() throws {
    let folder = try TemporaryFolder()
    let bad = [
      Self.row, "[]", #"{"desc": "a"}"#, #"{"desc_id": 2}"#, #"{"desc_id": 3, "desc": 1}"#,
      #"{"desc_id": 4, "desc": "a", "ts": [2, 1]}"#, #"{"desc_id": 5, "desc": "a", "ts": "0-1"}"#,
      #"{"desc_id": 6, "desc": "a", "ts": [0, NaN]}"#, #"{"desc_id": 1.5, "desc": "a"}"#,
      #"{"desc_id": "", "desc": "a"}"#, #"{"desc_id": 7, "desc": "a", "vid_name": 1}"#,
      "{\"desc_id\": \"\(String(repeating: "x", count: 512))\", \"desc\": \"a\"}",
    ]
    var skipped: [String] = []
    let report = try folder.builder(.tvr, ([Self.row] + bad).joined(separator: "\n")).build {
      skipped.append($0)
    }
    try #require(report.rows == 1 && report.skipped == bad.count)
    #expect(report.description == "1 rows stored, 12 skipped")
    #expect(skipped.enumerated().allSatisfy { $1.contains("annotation, line \($0 + 2): ") })
    #expect(skipped[0].contains("the id \"1\" occurs twice"))
  }

  @Test func refusesAnAnnotationOfNothingButBadRows() throws {
    let folder = try TemporaryFolder()
    #expect(failure(folder, try folder.builder(.tvr, "{}\n{}")).contains("no \"desc_id\""))
    #expect(failure(folder, try folder.builder(.tvr, "")).contains("empty"))
    #expect(failure(folder, try folder.builder(.how2r, "\n\n")).contains("empty"))
    #expect(failure(folder, try folder.builder(.tvr, "a,b,c")).contains("not an annotation of tvr"))
  }

  @Test func overwritesNothing() throws {
    let folder = try TemporaryFolder()
    let builder = try folder.builder(.tvr, Self.row)
    try builder.build()
    let before = try FileBytes.read(path: folder.path("out.db/data.mdb"))
    #expect(failure(folder, builder, outputExists: true).contains("exists already"))
    #expect(try FileBytes.read(path: folder.path("out.db/data.mdb")) == before)
  }

  @Test func namesMissingFiles() throws {
    let folder = try TemporaryFolder()
    var builder = try folder.builder(.tvr, Self.row)
    builder.annotation = folder.path("missing.jsonl")
    #expect(failure(folder, builder).contains("missing.jsonl"))
    builder = try folder.builder(.tvr, Self.row)
    builder.tokenizer = folder.path("missing")
    #expect(failure(folder, builder).contains("missing/vocab.json"))
    #expect(failure(folder, try folder.builder(.subtitles, "{}")).contains("--vid2nframe"))
    #expect(failure(folder, try folder.builder(.tvc, "{}")).contains("--subtitles"))
    builder = try folder.builder(.subtitles, "{}")
    builder.frameLength = 0
    #expect(failure(folder, builder).contains("frame length"))
  }

  @Test func listsTheVideosOfAHiddenSplit() throws {
    let folder = try TemporaryFolder()
    var builder = try folder.builder(.tvr, #"{"desc": "a", "desc_id": 1}"#)
    builder.vid2durIdx = try folder.file(
      "dur.json", #"{"val": {"v": [1.5, 0]}, "test": {"w": [2, 1], "u": [2, 2]}}"#)
    #expect(failure(folder, builder).contains("--split: val, test"))
    builder.split = "test"
    let report = try builder.build()
    #expect(report.notes.count == 1)
    #expect(try folder.contents("out.db/video_ids.json") == #"["w", "u"]"#)
    #expect(try folder.contents("out.db/query2video.json") == "{}")
    let value = try #require(try LMDBReader(path: folder.path("out.db")).get("1"))
    let entry = try MessagePack.decode(Compression.decompress(value))
    #expect(entry["target"]?.isNil == true && entry["vid"] == nil)
  }

  /// Videos with 3,000 sentences of 41 hours or one of 10,000 words are skipped by name, and the
  /// other video stays.
  @Test func boundsWhatSubtitlesAskFor() throws {
    let folder = try TemporaryFolder()
    let sentence = #"{"text": "a", "start": 0, "end": 147600}"#
    let long = String(repeating: "a ", count: 10_000)
    var builder = try folder.builder(
      .subtitles,
      """
      {"vid_name": "v", "sub": [\(repeatElement(sentence, count: 3000).joined(separator: ","))]}
      {"vid_name": "w", "sub": [{"text": "\(long)", "start": 0, "end": 3}]}
      {"vid_name": "x", "sub": [{"text": "a", "start": 0, "end": 3}]}
      """)
    builder.vid2nframe = try folder.file("n.json", #"{"v": 3, "w": 3, "x": 3}"#)
    var skipped: [String] = []
    let before = try ResidentMemory.bytes()
    let report = try builder.build { skipped.append($0) }
    #expect(try ResidentMemory.bytes() - before < 1 << 30)
    try #require(report.rows == 1 && report.skipped == 2)
    #expect(skipped[0].contains("line 1") && skipped[0].contains("frames together"))
    #expect(skipped[1].contains("tokens, more than 4096"))
  }

  @Test func namesVideosWithoutFramesAndSortsSubtitles() throws {
    let folder = try TemporaryFolder()
    var builder = try folder.builder(
      .subtitles,
      """
      {"vid_name": "v", "sub": [{"text": "a", "start": 0, "end": 2}]}
      {"vid_name": "w", "sub": [{"text": "a", "start": 2, "end": 3}, {"text": "a", "start": 1, "end": 3}]}
      {"vid_name": "x", "sub": []}
      {"vid_name": "y", "sub": [{"text": "a", "start": 0}]}
      {"vid_name": "z", "sub": []}
      """)
    builder.vid2nframe = try folder.file("n.json", #"{"v": 3, "w": 3, "y": 3, "z": 7}"#)
    builder.vid2durIdx = try folder.file("dur.json", #"{"val": {"v": [1.5,   0]}}"#)
    var skipped: [String] = []
    let report = try builder.build { skipped.append($0) }
    try #require(report.rows == 3 && report.skipped == 2)
    #expect(report.notes.contains { $0.contains("\"w\"") && $0.contains("sorted") })
    #expect(skipped[0].contains("does not have \"x\""))
    #expect(skipped[1].contains("no \"end\""))
    #expect(try folder.contents("out.db/vid2len.json") == #"{"v": 3, "w": 3, "z": 7}"#)
    #expect(try folder.contents("out.db/vid2max_frame_sub_len.json") == #"{"v": 3, "w": 3, "z": 5}"#)
    #expect(try folder.contents("out.db/vid2dur_idx.json") == #"{"val": {"v": [1.5,   0]}}"#)
  }

  @Test(arguments: [#"{"v": -1}"#, #"{"v": 1.5}"#, #"{"v": 999999999}"#, #"{"v": "3 "}"#, "[]", "{", ""])
  func refusesNumbersOfFramesThatAreNone(_ counts: String) throws {
    let folder = try TemporaryFolder()
    var builder = try folder.builder(.subtitles, #"{"vid_name": "v", "sub": []}"#)
    builder.vid2nframe = try folder.file("n.json", counts)
    #expect(failure(folder, builder).contains("n.json"))
  }

  @Test func findsTheSentencesOfAClip() throws {
    let folder = try TemporaryFolder()
    var builder = try folder.builder(
      .tvc,
      """
      {"vid_name": "v", "duration": 20, "ts": [5, 10], "clip_id": 3, "descs": [{"desc": "a", "desc_id": 1}]}
      {"vid_name": "v", "duration": 20, "ts": [5, 10], "clip_id": 4, "descs": [{"desc": "B", "desc_id": 1}]}
      {"vid_name": "w", "duration": 20, "ts": [5, 10], "clip_id": 5, "descs": []}
      {"vid_name": "v", "duration": 20, "ts": [5, 10], "clip_id": 6}
      """)
    let times = [(0, 5), (5, 6), (4, 6), (9, 12), (10, 12), (4, 11), (5, 10)]
    let sentences = times.map { #"{"text": "a", "start": \#($0.0), "end": \#($0.1)}"# }.joined(
      separator: ", ")
    builder.subtitles = try folder.file("sub.jsonl", #"{"vid_name": "v", "sub": [\#(sentences)]}"#)
    let report = try builder.build()
    #expect(report.rows == 3 && report.skipped == 1 && report.notes.count == 2)
    let store = try LMDBReader(path: folder.path("out.db/cap.db"))
    let entry = try MessagePack.decode(Compression.decompress(try #require(try store.get("1"))))
    #expect(entry["sub_indices"]?.array?.compactMap(\.int) == [1, 2, 3, 5])
    #expect(entry["clip_id"]?.string == "4")
    #expect(entry["input_ids"]?.array?.compactMap(\.int) == [99])
    #expect(try folder.contents("out.db/clip.db/vid2clips.json") == #"{"v": ["3", "4", "6"]}"#)
  }
}
