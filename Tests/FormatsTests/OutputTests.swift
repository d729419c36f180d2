import Foundation
import TestSupport
import Testing

@testable import Formats

@Suite struct OutputTests {
  @Test func filesAppearWhenComplete() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("a.json")
    try AtomicFile.write("old", to: path)
    do {
      let file = try AtomicFile(path: path)
      try file.write("half of the new")
      #expect(try FileBytes.read(path: path) == Array("old".utf8))
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.root) == ["a.json"])
    let big = [UInt8](repeating: 7, count: 3_000_000)
    let file = try AtomicFile(path: path)
    try file.write("new")
    try file.write(big)
    try file.write("end")
    try file.commit()
    #expect(try FileBytes.read(path: path) == Array("new".utf8) + big + Array("end".utf8))
    #expect(throws: DataError.self) { try AtomicFile.write("x", to: folder.path("none/a")) }
  }

  /// A child that another thread has just forked holds what was open, till it runs its program.
  @Test func locksEndThoughSomebodyInheritedThem() throws {
    let folder = try TemporaryFolder()
    let path = try folder.file("locked", "")
    let descriptor = open(path, O_RDWR | O_CLOEXEC)
    #expect(FileLock.take(descriptor) == .got)
    let inherited = dup(descriptor)
    let other = open(path, O_RDWR | O_CLOEXEC)
    #expect(FileLock.take(other) == .isTaken)
    FileLock.close(descriptor)
    #expect(FileLock.take(other) == .got)
    FileLock.close(other)
    close(inherited)
  }

  @Test func foldersAppearWhenComplete() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("deep/out")
    do {
      let output = try OutputFolder(path: path + "/")
      try AtomicFile.write("half", to: output.file("a"))
      #expect(!FileManager.default.fileExists(atPath: path))
      #expect(throws: DataError.self) { try OutputFolder(path: path) }
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path("deep")).isEmpty)
    let output = try OutputFolder(path: path)
    try AtomicFile.write("whole", to: try output.folder("inner") + "/b")
    try output.commit()
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path("deep")) == ["out"])
    #expect(try FileManager.default.contentsOfDirectory(atPath: path) == ["inner"])
    let error = try #require(throws: DataError.self) { try OutputFolder(path: path) }
    #expect(error.file == path)
  }

  @Test func clearsWhatAKilledRunLeftButNothingElse() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("out")
    try FileManager.default.createDirectory(atPath: path + ".partial", withIntermediateDirectories: true)
    try AtomicFile.write("mine", to: path + ".partial/precious")
    #expect(throws: DataError.self) { try OutputFolder(path: path) }
    #expect(FileManager.default.fileExists(atPath: path + ".partial/precious"))
    try AtomicFile.write("", to: path + ".partial/.hero-partial")
    try OutputFolder(path: path).commit()
    #expect(try FileManager.default.contentsOfDirectory(atPath: path).isEmpty)
  }

  @Test func mappedFilesAreCheckedAtTheirEnds() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("m")
    try AtomicFile.write([1, 2, 3, 4, 5], to: path)
    let file = try MappedFile(path: path)
    #expect(try file.count == 5 && file.bytes(at: 1, count: 4) == [2, 3, 4, 5])
    #expect(try file.integer(at: 1, as: UInt32.self) == 0x0504_0302)
    #expect(try file.bytes(at: 5, count: 0).isEmpty)
    for (offset, count) in [(2, 4), (-1, 1), (0, -1), (6, 0), (.max, 1), (1, .max)] {
      #expect(throws: DataError.self) { try file.bytes(at: offset, count: count) }
    }
    try AtomicFile.write([], to: path)
    #expect(try MappedFile(path: path).bytes(at: 0, count: 0).isEmpty)
    #expect(throws: DataError.self) { try MappedFile(path: folder.root) }
    #expect(throws: DataError.self) { try MappedFile(path: folder.path("none")) }
  }
}
