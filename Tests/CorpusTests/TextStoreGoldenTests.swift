import Formats
import Foundation
import TestSupport
import Testing

@testable import Corpus

/// Every text store of the golden corpus, made again from its annotation.
@Suite struct TextStoreGoldenTests {
  /// The names of the golden folder's text stores.
  static let stores: [String] = {
    let golden = SharedData.golden
    let names = try? FileManager.default.contentsOfDirectory(
      atPath: golden.appendingPathComponent("db/txt_db").path)
    return (names ?? []).filter { $0.hasSuffix(".db") }.sorted()
  }()

  @Test
  func thereAreStores() {
    #expect(Self.stores.count >= 16)
  }

  @Test(arguments: stores)
  func makesTheStoreOfTheReference(_ name: String) throws {
    let golden = SharedData.golden
    let expected = golden.appendingPathComponent("db/txt_db/\(name)").path
    let meta = try JSON.read(path: expected + "/meta.json")
    let scratch = try TemporaryFolder()
    var builder = TextStoreBuilder(
      task: try task(of: meta), annotation: try path(meta, "annotation", in: golden),
      output: scratch.path(name), tokenizer: try path(meta, "toker", in: golden))
    builder.compression = .lz4
    builder.frameLength = meta["frame_length"]?.double ?? builder.frameLength
    builder.vid2nframe = try meta["vid2nframe"].map { _ in try path(meta, "vid2nframe", in: golden) }
    builder.subtitles = try meta["subtitles"].map { _ in try path(meta, "subtitles", in: golden) }
    if builder.task == .subtitles {
      builder.vid2durIdx = golden.appendingPathComponent("corpus/ann/vid2dur_idx.json").path
    }
    let report = try builder.build { Issue.record("skipped \($0)") }
    #expect(report.skipped == 0 && report.rows > 0)
    try compare(scratch.path(name), with: expected)
  }

  private func task(of meta: JSON) throws -> TextStoreTask {
    if meta["subtitles"] != nil { return .tvc }
    if meta["vid2nframe"] != nil { return .subtitles }
    return try #require(TextStoreTask(rawValue: meta["task"]?.string ?? ""))
  }

  private func path(_ meta: JSON, _ key: String, in golden: URL) throws -> String {
    golden.appendingPathComponent(try #require(meta[key]?.string)).path
  }

  private func compare(_ made: String, with expected: String) throws {
    let names = try FileManager.default.contentsOfDirectory(atPath: expected).sorted()
    #expect(try FileManager.default.contentsOfDirectory(atPath: made).sorted() == names)
    for name in names {
      let (ours, theirs) = ("\(made)/\(name)", "\(expected)/\(name)")
      if name == "data.mdb" {
        try compareEntries(made, with: expected)
      } else if name.hasSuffix(".db") {
        try compare(ours, with: theirs)
      } else if name == "meta.json" {
        try compareMeta(ours, with: theirs)
      } else {
        #expect(try FileBytes.read(path: ours) == FileBytes.read(path: theirs), "\(name)")
      }
    }
  }

  private func compareEntries(_ made: String, with expected: String) throws {
    let (ours, theirs) = (try LMDBReader(path: made), try LMDBReader(path: expected))
    #expect(ours.count == theirs.count)
    for (name, value) in try storeEntries(expected) {
      let own = try #require(try ours.get(name), "\(name)")
      #expect(Compression.detect(own) == .lz4)
      let (ownBytes, bytes) = (try Compression.decompress(own), try Compression.decompress(value))
      if ownBytes != bytes {
        Issue.record("\(name): \(try MessagePack.decode(ownBytes)) is not \(try MessagePack.decode(bytes))")
      }
      // Other versions of the LZ4 library may find other matches, but the frame's header is the
      // reference's.
      #expect(own.prefix(15) == value.prefix(15), "\(name): another frame header")
    }
  }

  /// Compares all keys in their order, and all values but paths, which are the run's own.
  private func compareMeta(_ made: String, with expected: String) throws {
    let paths = ["annotation", "output", "toker", "tokenizer", "vid2nframe", "subtitles"]
    let (ours, theirs) = (try JSON.read(path: made), try JSON.read(path: expected))
    #expect(ours.object?.keys == theirs.object?.keys)
    for (key, value) in try #require(theirs.object) where !paths.contains(key) {
      #expect(ours[key] == value, "\(key)")
    }
  }
}
