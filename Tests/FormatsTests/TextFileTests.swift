import Foundation
import TestSupport
import Testing

@testable import Formats

/// Text files in the encodings and with the line ends that programs write.
@Suite struct TextFileTests {
  private static let text = "{\"a\": \"é😀\"}\n\n{\"a\": \"b\"}\n"

  private static func utf16(_ text: String, bigEndian: Bool) -> [UInt8] {
    text.utf16.flatMap {
      bigEndian ? [UInt8($0 >> 8), UInt8($0 & 0xFF)] : [UInt8($0 & 0xFF), UInt8($0 >> 8)]
    }
  }

  private func lines(_ bytes: some Sequence<UInt8>) throws -> [String?] {
    let folder = try TemporaryFolder()
    try Data(bytes).write(to: URL(fileURLWithPath: folder.path("f")))
    var values: [String?] = []
    try JSONLines.read(path: folder.path("f")) { _, value in values.append(value["a"]?.string) }
    return values
  }

  /// A missing file's cure names the current folder, since a configuration's path may be meant from
  /// the configuration's folder on.
  @Test func aMissingFileIsLookedForFromTheCurrentFolderOn() throws {
    let folder = FileManager.default.currentDirectoryPath
    let error = #expect(throws: DataError.self) { try MappedFile(path: "no/such/file") }
    #expect(error?.cure == "Check the path, which is taken from \(folder) on")
    #expect(
      #expect(throws: DataError.self) { try MappedFile(path: "/no/such/file") }?.cure == "Check the path")
  }

  @Test func readsEveryEncodingAndLineEnd() throws {
    let mark = "\u{FEFF}"
    let files: [[UInt8]] = [
      Array(Self.text.utf8), Array((mark + Self.text).utf8),
      Array(Self.text.replacing("\n", with: "\r\n").utf8),
      Array(Self.text.replacing("\n", with: "\r").utf8), Array(Self.text.dropLast().utf8),
      Self.utf16(Self.text, bigEndian: false), Self.utf16(Self.text, bigEndian: true),
      Self.utf16(mark + Self.text, bigEndian: false), Self.utf16(mark + Self.text, bigEndian: true),
      Self.utf16(Self.text.replacing("\n", with: "\r\n"), bigEndian: false),
    ]
    for file in files { #expect(try lines(file) == ["é😀", "b"]) }
  }

  /// `printf '{"a": "x"}\n' | gzip -n`
  @Test func readsGzip() throws {
    let bytes = try #require(Data(base64Encoded: "H4sIAAAAAAAAA6tWSlSyUlCqUKrlAgBsMN9SCwAAAA=="))
    #expect(try lines(bytes) == ["x"])
  }

  /// UTF-16 characters stay whole that lie across the pieces in which a file is read.
  @Test func longUTF16StaysWhole() throws {
    let long = String(repeating: "😀é", count: 700_000)
    #expect(
      try lines(Self.utf16("\u{FEFF}{\"a\": \"\(long)\"}\n{\"a\": \"b\"}", bigEndian: false)) == [long, "b"])
  }

  @Test(
    arguments: [
      ([0x50, 0x4B, 3, 4, 1, 2, 3], "a zip archive"), ([0x28, 0xB5, 0x2F, 0xFD, 1], "packed by zstd"),
      ([0xFF, 0xFE, 0, 0, 0x7B, 0, 0, 0], "UTF-32"), ([0x7B, 0, 0, 0, 0, 1], "zero bytes"),
      ([0xFF, 0xFE, 0x7B, 0, 0x00, 0xDC], "well-formed UTF-16"), ([0xFF, 0xFE, 0x7B], "well-formed UTF-16"),
    ] as [([UInt8], String)])
  func namesWhatIsNoText(_ bytes: [UInt8], problem: String) throws {
    let error = try #require(throws: DataError.self) { try lines(bytes) }
    #expect(error.problem.contains(problem) && error.cure != nil)
  }

  @Test func namesTheLineOfAnotherEncoding() throws {
    let error = try #require(throws: DataError.self) {
      try lines(Array("{\"a\": 1}\n{\"a\": \"caf".utf8) + [0xE9] + Array("\"}\n".utf8))
    }
    #expect(error.place == "line 2" && error.problem.contains("0xE9"))
    #expect(error.cure?.contains("UTF-8") == true)
  }

  @Test func readsOneListAsRows() throws {
    #expect(try lines("[{\"a\": \"x\"}, {\"a\": \"y\"}]".utf8) == ["x", "y"])
    #expect(try lines("\n[\n {\"a\": \"x\"},\n {\"a\": \"y\"}\n]\n".utf8) == ["x", "y"])
    let folder = try TemporaryFolder()
    _ = try folder.file("f", "[\n {\"a\": 1},\n\n {\"a\": 2}]")
    var places: [Int] = []
    try JSONLines.read(path: folder.path("f")) { line, _ in places.append(line) }
    #expect(places == [2, 4])
  }

  @Test func saysWhatCommasDo() throws {
    let between = try #require(throws: DataError.self) { try lines("{\"a\": \"x\"},\n{\"a\": \"y\"}\n".utf8) }
    #expect(between.place == "line 1" && between.problem.contains("a comma after the value"))
    let last = try #require(throws: DataError.self) { try lines("[\n{\"a\": \"x\"},\n]".utf8) }
    #expect(last.place == "line 3" && last.problem.contains("a comma before \"]\""))
  }

  /// Sparse files are refused by their size before anything is read, and no line is gathered for
  /// ever.
  @Test func sparseFilesAreRefusedAtOnce() throws {
    let folder = try TemporaryFolder()
    for (name, start) in [("a.json", "{"), ("b.srt", "1"), ("c.jsonl", "{\"a\": 1}\n")] {
      _ = try folder.file(name, start + String(repeating: " ", count: 8192))
      try #require(truncate(folder.path(name), 60 << 30) == 0)
    }
    let before = try ResidentMemory.bytes()
    #expect(throws: DataError.self) { try JSON.read(path: folder.path("a.json")) }
    #expect(throws: DataError.self) { try SubtitleFile.read(path: folder.path("b.srt")) }
    #expect(try ResidentMemory.bytes() - before < 1 << 30)
    let error = try #require(throws: DataError.self) {
      try JSONLines.read(path: folder.path("c.jsonl")) { _, _ in }
    }
    #expect(error.place == "line 2" && error.problem.contains("more than 256 MB"))
  }
}
