import Foundation
import TestSupport
import Testing

@testable import Formats

/// Files that are not what the reader wants are refused by their kind.
@Suite struct FileKindTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private static let pointer = Array(
    "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n".utf8)
  static let kinds: [(bytes: [UInt8], says: String)] = [
    (pointer, "a pointer of Git LFS"), (Array("\n<!DOCTYPE html>\n<html>".utf8), "a web page"),
    (Array("<HTML><BODY>404</BODY></HTML>".utf8), "a web page"), ([0x1F, 0x8B, 8, 0], "packed by gzip"),
    (Array("BZh91AY&SY".utf8), "packed by bzip2"), ([0x89, 0x48, 0x44, 0x46, 0x0D, 0x0A], "an HDF5 file"),
    ([UInt8](repeating: 0, count: 4096), "of zeros at its beginning"),
    (Array("PAR1".utf8) + [21, 4, 21, 0, 255, 254], "a Parquet file"),
    (Array("ARROW1\0\0".utf8), "an Arrow file"), (Array("FEA1\0\0\0\0".utf8), "a Feather file"),
    (
      [UInt8](repeating: 0x61, count: 257) + Array("ustar\0".utf8) + [UInt8](repeating: 0, count: 300),
      "a tar"
    ),
  ]

  private func write(_ bytes: [UInt8], _ name: String = "file") throws -> String {
    try Data(bytes).write(to: URL(fileURLWithPath: folder.path(name)))
    return folder.path(name)
  }

  @Test(arguments: kinds) func readersNameTheKind(_ bytes: [UInt8], _ says: String) throws {
    let path = try write(bytes)
    try FileManager.default.createDirectory(atPath: folder.path("store"), withIntermediateDirectories: true)
    _ = try write(bytes, "store/data.mdb")
    let readers: [(String, () throws -> Void)] = [
      ("weights", { _ = try WeightFile(path: path) }), ("zip", { _ = try ZipReader(path: path) }),
      ("store", { _ = try LMDBReader(path: folder.path("store")) }),
      ("subtitles", { _ = try SubtitleFile.read(path: path) }),
    ]
    for (name, read) in readers {
      let error = try #require(throws: DataError.self, "\(name)") { try read() }
      #expect(error.problem.contains(says) && error.file != nil && error.cure != nil, "\(name): \(error)")
    }
    let error = try #require(throws: DataError.self) { try JSON.read(path: path) }
    // Gzip is read like text, and a tar archive of letters may be text.
    #expect(error.problem.contains(says) || says.contains("gzip") || says.contains("tar"), "\(error)")
  }

  @Test func whatIsWantedHasNoKind() {
    for text in ["{\"a\": 1}", "1\n00:00:01,000 --> 00:00:02,000\nHtml\n", "version 2\n", "<tt>", ""] {
      #expect(FileKind(head: Array(text.utf8)) == nil)
    }
    #expect(FileKind(head: [0, 0, 0]) == nil)
  }

  /// A pipe is refused at once, without waiting for a writer.
  @Test(.timeLimit(.minutes(30))) func pipesAreRefused() throws {
    try FileManager.default.createDirectory(atPath: folder.path("store"), withIntermediateDirectories: true)
    for name in ["pipe", "store/data.mdb"] { #expect(mkfifo(folder.path(name), 0o600) == 0) }
    let path = folder.path("pipe")
    let readers: [() throws -> Void] = [
      { _ = try MappedFile(path: path) }, { _ = try ZipReader(path: path) },
      { _ = try WeightFile(path: path) },
      { _ = try LMDBReader(path: self.folder.path("store")) },
    ]
    for read in readers {
      let error = try #require(throws: DataError.self) { try read() }
      #expect(error.problem == "is a pipe, not a plain file")
    }
  }

  @Test func valuesAreShownAsTheyStandAndShortly() throws {
    #expect(try JSON.parse("[NaN, 3, -Infinity, \"a\"]").shown == "[NaN,3,-Infinity,\"a\"]")
    #expect(JSON.object(["a": [1, 2.5], "b": nil]).shown == "{\"a\":[1,2.5],\"b\":null}")
    let long: [JSON] = [
      .array((0..<100_000).map { .int($0) }), .string(String(repeating: "x", count: 1_000_000)),
      .object(JSONObject((0..<10_000).map { (key: "k\($0)", value: [1]) })),
    ]
    for value in long { #expect(value.shown.count == 81 && value.shown.hasSuffix("…")) }
  }

  /// A spreadsheet is named, since unpacking it would not help.
  @Test func spreadsheets() throws {
    for (name, says) in [("rows.xlsx", "is a spreadsheet"), ("rows.zip", "is a zip archive")] {
      let path = try write([0x50, 0x4B, 3, 4, 20, 0, 6, 0], name)
      let error = try #require(throws: DataError.self) { try JSONLines.read(path: path) { _, _ in } }
      #expect("\(error)".contains(says), "\(error)")
    }
  }
}
