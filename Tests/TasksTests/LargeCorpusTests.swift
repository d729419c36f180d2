import Corpus
import Formats
import Foundation
import TestSupport
import Testing

@testable import Tasks

/// Corpora of HowTo100M's size.
struct LargeCorpusTests {
  /// Opening a million clips, as `hero pretrain` does before its first update, takes little memory.
  ///
  /// It runs in a process of its own, so that the measured memory holds nothing else.
  @Test(.timeLimit(.minutes(30))) func aMillionClipsTakeLittleMemory() async {
    await #expect(processExitsWith: .success) { try Self.openAMillionClips() }
  }

  private static func openAMillionClips() throws {
    let folder = try TemporaryFolder()
    let clips = 1_000_000
    let (videos, texts) = (folder.path("howto/resnet_slowfast_2.0"), folder.path("subtitles.db"))
    for store in [videos, texts] {
      try FileManager.default.createDirectory(atPath: store, withIntermediateDirectories: true)
      let writer = try LMDBWriter(path: store)
      try writer.put("any", [0x80])
      try writer.finish()
    }
    let counts = try AtomicFile(path: folder.path("howto/id2nframe.json"))
    let lengths = try AtomicFile(path: texts + "/vid2len.json")
    let ids = try AtomicFile(path: folder.path("train.json"))
    for clip in 0..<clips {
      // The list's order differs from that of the stores.
      let (name, listed) = (Self.name(clip), Self.name(clip * 7919 % clips))
      try counts.write("\(clip == 0 ? "{" : ", ")\"\(name)\": \(clip % 100 == 3 ? 0 : 30)")
      try lengths.write("\(clip == 0 ? "{" : ", ")\"\(name)\": 30")
      try ids.write("\(clip == 0 ? "[" : ", ")\"\(listed)\"")
    }
    for (file, end) in [(counts, "}"), (lengths, "}"), (ids, "]")] {
      try file.write(end)
      try file.commit()
    }
    _ = try folder.file(
      "subtitles.db/meta.json",
      #"{"PAD": 1, "BOS": 0, "EOS": 2, "SEP": 2, "CLS": 0, "MASK": 40, "UNK": 3, "v_range": [5, 40]}"#)
    let before = try ResidentMemory.bytes()
    let reader = VideoReader(
      features: try FeatureStore(path: folder.path("howto"), frameLength: 2),
      subtitles: try SubtitleStore(path: texts), maxClipLength: 100, contextLength: 0)
    let list = try PretrainingVideos([
      (reader, try PretrainingVideos.readIDs(path: folder.path("train.json")))
    ])
    let grown = try ResidentMemory.bytes() - before
    #expect(list.count == clips - clips / 100 && list.withoutFrames.count == clips / 100)
    // Numbers follow the order of the stores, not that of the list.
    #expect([0, 3, 989_999].map { list.video($0).id } == [0, 4, 999_999].map(Self.name))
    #expect(grown < 500 << 20, "\(grown >> 20) MB")
  }

  /// Returns a name like `dQw4w9WgXcQ_3`.
  private static func name(_ clip: Int) -> String { "Ab\(10_000_000 + clip / 8)_\(clip % 8)" }
}
