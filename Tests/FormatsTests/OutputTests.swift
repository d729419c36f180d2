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

  /// Writing to a link writes its target, whether it exists or not, and keeps the link.
  @Test(arguments: [true, false]) func linksStay(_ exists: Bool) throws {
    let folder = try TemporaryFolder()
    let real = exists ? try folder.file("deep/real", "old") : folder.path("deep/real")
    try OutputFolder.make(folder.path("deep"))
    let link = folder.path("link")
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "deep/real")
    try AtomicFile.write("new", to: link)
    #expect(try FileBytes.read(path: real) == Array("new".utf8))
    #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == "deep/real")
  }

  /// Addresses are refused as paths, and make no folder `s3:`.
  @Test(arguments: ["s3://b/x", "gs://b/x", "https://h/x", "file:///tmp/x"]) func addresses(_ path: String) {
    let wanted = path.hasPrefix("file") ? "without file://" : "Only files of this machine"
    for error in [
      #expect(throws: DataError.self) { try FileBytes.read(path: path) },
      #expect(throws: DataError.self) { try OutputFile.require(path, overwrites: true) },
      #expect(throws: DataError.self) { try OutputFolder.make(path) },
      #expect(throws: DataError.self) { _ = try OutputFolder(path: path) },
    ] { #expect(error?.cure?.contains(wanted) == true, "\(error.map(\.description) ?? "")") }
  }

  /// A lock ends even if another descriptor of the file was inherited.
  ///
  /// A child that another thread has just forked holds it until it runs its program.
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
    // The parent folder was made for the output, so it is removed too.
    #expect(!FileManager.default.fileExists(atPath: folder.path("deep")))
    let output = try OutputFolder(path: path)
    try AtomicFile.write("whole", to: try output.folder("inner") + "/b")
    try output.commit()
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path("deep")) == ["out"])
    #expect(try FileManager.default.contentsOfDirectory(atPath: path) == ["inner"])
    let error = try #require(throws: DataError.self) { try OutputFolder(path: path) }
    #expect(error.file == path)
  }

  /// A file in place of a folder is named, and stays as it is.
  @Test func aFileInPlaceOfAFolderIsNamed() throws {
    let folder = try TemporaryFolder()
    let file = try folder.file("cuts", "mine")
    for path in [file, file + "/deep/er"] {
      var made = MadeFolders()
      let error = try #require(throws: DataError.self) { try made.make(path) }
      #expect(error.description.hasPrefix("\(file): is no folder"), "\(error)")
      #expect(error.description.contains("Give the name of a folder"))
    }
    #expect(try FileBytes.read(path: file) == Array("mine".utf8))
  }

  /// A run that is refused because another one is writing leaves that one's folder alone.
  @Test func anotherRunsFolderStays() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("new/out")
    let output = try OutputFolder(path: path)
    try AtomicFile.write("mine", to: output.file("a"))
    for _ in 0..<2 {
      let error = #expect(throws: DataError.self) { try OutputFolder(path: path) }
      #expect(error?.problem.contains("another run") == true)
      #expect(try String(contentsOfFile: output.file("a"), encoding: .utf8) == "mine")
    }
    try output.commit()
    #expect(try FileManager.default.contentsOfDirectory(atPath: path) == ["a"])
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

  /// Temporary files of an ended process are removed, and nothing else, whatever its name.
  @Test func sweepsItsOwnTemporaryFilesOnly() throws {
    let folder = try TemporaryFolder()
    let gone = ".hero-tmp-999999999-0123456789abcdef"
    let others = [
      ".report.2024-05", ".a.999999999-7", ".hero-tmp", ".hero-tmp-999999999-0123456789abcde",
      ".hero-tmp-notes-0123456789abcdef", "a.hero-tmp-999999999-0123456789abcdef", "x.partial",
    ]
    for name in others + [gone] { try Data("mine".utf8).write(to: URL(fileURLWithPath: folder.path(name))) }
    // A link of such a name leads to somebody's file.
    let link = ".hero-tmp-999999998-0123456789abcdef"
    try FileManager.default.createSymbolicLink(
      atPath: folder.path(link), withDestinationPath: folder.path("x.partial"))
    try AtomicFile.write("whole", to: folder.path("a"))
    #expect(
      try Set(FileManager.default.contentsOfDirectory(atPath: folder.root)) == Set(others + [link, "a"]))
    // This name leaves no room for a suffix.
    try AtomicFile.write("whole", to: folder.path(String(repeating: "n", count: 255)))
  }

  @Test func filesAreLookedAtBeforeTheyAreWritten() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("a.json")
    try OutputFile.require(path, overwrites: false)
    try AtomicFile.write("mine", to: path)
    let error = try #require(throws: DataError.self) { try OutputFile.require(path, overwrites: false) }
    #expect(error.file == path && error.cure?.contains("--overwrite") == true)
    try OutputFile.require(path, overwrites: true)
    for other in [folder.root, "/dev/null", folder.path("none/a")] {
      #expect(throws: DataError.self) { try OutputFile.require(other, overwrites: true) }
    }
  }

  /// A different file is written beside the existing one, and an equal one is not written twice.
  @Test func filesStandBesideOneAnother() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("a.json")
    let written = try ["one", "two", "one", "two", "three"].map { text in
      try OutputFile.writeBeside(path) { try AtomicFile.write(text, to: $0) }
    }
    #expect(written == ["a.json", "a.2.json", "a.json", "a.2.json", "a.3.json"].map { folder.path($0) })
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.root).count == 3)
    #expect(try FileBytes.read(path: path) == Array("one".utf8))
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
