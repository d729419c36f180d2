import Foundation
import TestSupport
import Testing

@testable import Formats

/// Commands on files that demand much memory.
///
/// Each command ends in little memory, names the file and keeps the good ones.
@Suite(.ownThreads) struct HostileFileTests {
  private let folder: TemporaryFolder
  private static let corpus = SharedData.golden.appendingPathComponent("corpus").path

  init() throws { folder = try TemporaryFolder() }

  /// Runs the program under a limit of virtual memory.
  private func run(gigabytes: Double = 1.5, _ words: [String]) throws -> HeroProcess {
    let kilobytes = Int(gigabytes * 1_048_576)
    return try HeroProcess(
      executable: URL(fileURLWithPath: "/bin/bash"),
      arguments: ["-c", "ulimit -v \(kilobytes); exec \"$0\" \"$@\"", HeroProcess.binary.path] + words,
      folder: folder.root, environment: ["HERO_NUM_THREADS": "2"])
  }

  private func features(_ name: String, _ frames: Int = 3) throws -> [UInt8] {
    try NPZ.encode(
      [("features", NDArray(floats: [Float](repeating: 1, count: frames * 4), shape: [frames, 4]))],
      compress: true)
  }

  private func store(_ bytes: [UInt8], _ name: String) throws {
    for part in ["resnet", "slowfast"] {
      let url = URL(fileURLWithPath: folder.path("F/\(part)_features/\(name)"))
      try FileManager.default.createDirectory(
        at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(bytes).write(to: url)
    }
  }

  /// Archives that inflate or claim too much, and a sparse array, do not harm a good video.
  @Test func bombsLeaveTheGoodVideos() throws {
    try store(features("good"), "good.npz")
    let zeros = [UInt8](repeating: 0, count: 80 << 20)
    let header = try NPY.encode(NDArray(floats: [0], shape: [1])).prefix(128)
    try store(ZipWriter.archive([("features.npy", header + zeros)], compress: true), "shrunk.npz")
    // Its directory claims three gigabytes.
    var claims = try ZipWriter.archive(
      [("features.npy", [UInt8](repeating: 0, count: 4 << 20))], compress: true)
    let size = withUnsafeBytes(of: UInt32(4 << 20).littleEndian) { Array($0) }
    let claimed = withUnsafeBytes(of: UInt32(3 << 30).littleEndian) { Array($0) }
    while let place = claims.firstRange(of: size) { claims.replaceSubrange(place, with: claimed) }
    try store(claims, "claims.npz")
    try store(NPY.encode(NDArray(floats: [0], shape: [1])), "sparse.npy")
    for part in ["resnet", "slowfast"] {
      try #require(truncate(folder.path("F/\(part)_features/sparse.npy"), 60 << 30) == 0)
    }
    let made = try run([
      "convert-videodb", "--feature-dir", "F", "--output", "db", "--dataset", "x", "--frame-length", "1.5",
    ])
    #expect(made.status == 0, "\(made.errors)")
    for (name, says) in [
      ("shrunk", "which no features are"), ("claims", "which no features are"),
      ("sparse", "more than 1024 MB"),
    ] {
      let line = made.errors.split(separator: "\n").first { $0.contains("video \"\(name)\" is left out") }
      #expect(line?.contains(says) == true, "\(name): \(made.errors)")
    }
    #expect(try JSON.read(path: folder.path("db/x/id2nframe.json")).encoded() == #"{"good":3}"#)
  }

  /// A megabyte of simultaneous cues, open tags or an endless cue does not harm a good file.
  @Test func subtitlesLeaveTheGoodVideos() throws {
    let many = 1 << 20
    func repeated(_ text: String) -> String { String(repeating: text, count: many / text.utf8.count) }
    _ = try folder.file("S/good.srt", "1\n00:00:00,000 --> 00:00:02,000\nhello\n")
    _ = try folder.file("S/same.srt", repeated("00:00:00,000 --> 00:00:02,000\na\n\n"))
    _ = try folder.file("S/long.srt", repeated("00:00:00,000 --> 20:00:00,000\na\n\n"))
    _ = try folder.file("S/lyrics.lrc", repeated("[00:01.00]a\n"))
    _ = try folder.file("S/tags.vtt", "WEBVTT\n\n00:00.000 --> 00:02.000\n" + repeated("<a "))
    _ = try folder.file("S/open.ttml", "<tt><body>" + repeated("<p begin=\"1s\" end=\"2s\">"))
    _ = try folder.file("S/comments.smi", "<SAMI>" + repeated("<!--"))
    let videos = ["good", "same", "long", "lyrics", "tags", "open", "comments"]
    _ = try folder.file(
      "frames.json", JSON.object(JSONObject(videos.map { (key: $0, value: 60) })).encoded())
    let made = try run([
      "create-txtdb", "--task", "subtitles", "--annotation", "S", "--output", "s.db", "--tokenizer",
      "\(Self.corpus)/tokenizer", "--vid2nframe", "frames.json",
    ])
    #expect(made.status == 0, "\(made.errors.suffix(2000))")
    let store = try LMDBReader(path: folder.path("s.db"))
    #expect(try store.contains("good"))
    #expect(
      made.errors.contains("tags.vtt, line 3: it has more than 4000 bytes"), "\(made.errors.suffix(2000))")
  }

  /// Predictions of some megabytes of bare structure are refused in little memory.
  @Test(arguments: [
    "[", "[],", "{\"a\":[]},", "{\"qid\":1,\"descs\":[]}\n", "1,", "\"\",", "{\"a\":1,\"a\":2},",
  ])
  func predictionsAreReadInLittleMemory(_ piece: String) throws {
    let count = (4 << 20) / piece.utf8.count
    let isLines = piece.hasSuffix("\n")
    let text = isLines ? "" : "["
    _ = try folder.file("p.json", text + String(repeating: piece, count: count) + (isLines ? "" : "0]"))
    _ = try folder.file("r.jsonl", #"{"desc_id": 1, "desc": "a", "vid_name": "v", "ts": [0, 1]}"# + "\n")
    let scored = try run(["eval", "--predictions", "p.json", "--references", "r.jsonl"])
    #expect(scored.status == 1, "\(scored.output.prefix(200))")
    #expect(
      ["p.json", "r.jsonl"].contains(where: scored.errors.contains)
        && !scored.errors.contains("out of memory"),
      "\(scored.errors.prefix(500))")
  }
}
