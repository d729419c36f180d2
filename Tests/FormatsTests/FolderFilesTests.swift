import Foundation
import TestSupport
import Testing

@testable import Formats

@Suite("Files of folders")
struct FolderFilesTests {
  private func list(_ root: String) throws -> (files: [String], told: [String]) {
    var told: [String] = []
    return (try FolderFiles.list(root, endings: ["mp4", "mkv"]) { told.append($0) }, told)
  }

  @Test func namesAreNames() {
    #expect(FileEndings.stem(of: "/a/b.c/castle.v2.mp4") == "castle.v2")
    #expect(FileEndings.stem(of: "castle") == "castle")
    #expect(FileEndings.stem(of: "a/.mp4") == ".mp4")
    #expect(FileEndings.ending(of: "a.b.MP4") == "mp4")
    #expect(FileEndings.ending(of: ".mp4") == "")
  }

  @Test func linksAreFollowedOnce() throws {
    let folder = try TemporaryFolder()
    for name in ["real/a.mp4", "real/deep/b.MKV", "elsewhere/c.mp4", "real/notes.txt"] {
      _ = try folder.file(name, "x")
    }
    let manager = FileManager.default
    for (link, target) in [
      ("link", "real"), ("real/loop", ".."), ("real/again", "deep"), ("real/out", "../elsewhere"),
      ("real/none.mp4", "nowhere"), ("real/linked.mp4", "a.mp4"),
    ] {
      try manager.createSymbolicLink(atPath: folder.path(link), withDestinationPath: target)
    }
    let (files, told) = try list(folder.path("link"))
    #expect(
      Set(files) == ["a.mp4", "deep/b.MKV", "linked.mp4", "loop/elsewhere/c.mp4"]
        || Set(files) == [
          "a.mp4", "deep/b.MKV", "linked.mp4", "out/c.mp4",
        ])
    #expect(told.count == 1 && told[0].contains("none.mp4"))
  }

  @Test func hiddenFilesAreCounted() throws {
    let folder = try TemporaryFolder()
    for name in [
      "a.mp4", "._a.mp4", ".hidden.mkv", ".Trash-1000/files/b.mp4", "$RECYCLE.BIN/c.mp4", ".DS_Store",
      "@eaDir/d.mp4",
    ] {
      _ = try folder.file("v/\(name)", "x")
    }
    let (files, told) = try list(folder.path("v"))
    #expect(files == ["a.mp4"])
    #expect(told.count == 1 && told[0].contains("5 hidden"))
  }

  @Test func namesThatAreNotUTF8AreTold() throws {
    let folder = try TemporaryFolder()
    _ = try folder.file("v/a.mp4", "x")
    for tail in [[0xE9, 0x2E, 0x6D, 0x70, 0x34], [0xE9, 0x2E, 0x74, 0x78, 0x74]] as [[UInt8]] {
      let bytes = Array(folder.path("v/caf").utf8) + tail + [0]
      let descriptor = bytes.withUnsafeBytes {
        open($0.baseAddress!.assumingMemoryBound(to: CChar.self), O_CREAT | O_WRONLY, 0o600)
      }
      #expect(descriptor >= 0)
      close(descriptor)
    }
    let (files, told) = try list(folder.path("v"))
    #expect(files == ["a.mp4"])
    #expect(told.count == 1 && told[0].contains("caf\\xe9.mp4"))
  }

  /// Files of unknown extensions, folder names that are not UTF-8 and broken links are reported.
  ///
  /// Somebody may mean such a file, and such a link may have led to a folder.
  @Test func nothingIsPassedOverWithoutAWord() throws {
    let folder = try TemporaryFolder()
    for name in ["a.mp4", "a.srt", "poster.JPG", "b.mp4.part", "DATA.DAT", "recording", "deep/c.xyz"] {
      _ = try folder.file("v/\(name)", "x")
    }
    let odd = Array(folder.path("v/caf").utf8) + [0xE9, 0x2E, 0x32, 0x30, 0]
    let made = odd.withUnsafeBytes { mkdir($0.baseAddress!.assumingMemoryBound(to: CChar.self), 0o700) }
    #expect(made == 0)
    try FileManager.default.createSymbolicLink(
      atPath: folder.path("v/disk"), withDestinationPath: "/nowhere/disk")
    var told: [String] = []
    let files = try FolderFiles.list(
      folder.path("v"), endings: ["mp4"], passing: FileEndings.besideVideos
    ) { told.append($0) }
    #expect(files == ["a.mp4"])
    #expect(told.count == 3)
    #expect(told.contains { $0.contains("4 files are passed over") && $0.contains("DATA.DAT") })
    #expect(told.contains { $0.contains("caf\\xe9.20") } && told.contains { $0.contains("link to nothing") })
    #expect(FileEndings.videos.isDisjoint(with: FileEndings.besideVideos))
  }

  @Test func whatIsNoFolderIsAnError() throws {
    let folder = try TemporaryFolder()
    #expect(throws: DataError.self) { try list(folder.path("none")) }
    #expect(throws: DataError.self) { try list(try folder.file("a.mp4", "x")) }
    #expect(try PlainFile.size(folder.path("a.mp4")) == 1)
    #expect(throws: DataError.self) { try PlainFile.size(folder.root) }
  }
}
