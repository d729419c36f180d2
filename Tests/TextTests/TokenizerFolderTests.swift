import Formats
import Foundation
import TestSupport
import Testing

@testable import Text

/// The search for a tokenizer whose folder a file notes.
@Suite struct TokenizerFolderTests {
  private func makeTokenizer(_ folder: TemporaryFolder, at name: String) throws {
    try FileManager.default.createDirectory(atPath: folder.path(name), withIntermediateDirectories: true)
    for file in ["vocab.json", "merges.txt"] {
      try "".write(toFile: folder.path("\(name)/\(file)"), atomically: true, encoding: .utf8)
    }
  }

  private func note(_ folder: TemporaryFolder, _ says: String) throws -> TokenizerFolder.Note {
    try FileManager.default.createDirectory(
      atPath: folder.path("a/b/s.db"), withIntermediateDirectories: true)
    return TokenizerFolder.Note(file: folder.path("a/b/s.db/meta.json"), folder: says)
  }

  @Test func theOptionComesFirst() throws {
    let folder = try TemporaryFolder()
    try makeTokenizer(folder, at: "a/roberta-base")
    #expect(try TokenizerFolder.find(option: "given", note: note(folder, "roberta-base")) == "given")
  }

  @Test(arguments: ["a/b/s.db/roberta-base", "a/b/roberta-base", "a/roberta-base", "roberta-base"])
  func aRelativeFolderIsLookedForAboveTheFile(_ place: String) throws {
    let folder = try TemporaryFolder()
    try makeTokenizer(folder, at: place)
    let found = try TokenizerFolder.find(option: nil, note: note(folder, "roberta-base"))
    #expect(found.hasSuffix(place) && TokenizerFiles.areIn(found))
  }

  /// A folder of the noted name without a tokenizer's files is passed over.
  @Test func aFolderWithoutTheFilesIsPassedOver() throws {
    let folder = try TemporaryFolder()
    try FileManager.default.createDirectory(
      atPath: folder.path("a/b/roberta-base"), withIntermediateDirectories: true)
    try makeTokenizer(folder, at: "a/roberta-base")
    #expect(
      try TokenizerFolder.find(option: nil, note: note(folder, "roberta-base")).hasSuffix("/a/roberta-base"))
  }

  @Test func anAbsoluteFolderIsTakenAsItStands() throws {
    let folder = try TemporaryFolder()
    try makeTokenizer(folder, at: "t")
    #expect(
      try TokenizerFolder.find(option: nil, note: note(folder, folder.path("t"))) == folder.path("t"))
  }

  @Test(arguments: ["roberta-base-that-is-nowhere", "/no/such/folder"])
  func theErrorSaysWhoSaysSoAndWhatToDo(_ says: String) throws {
    let folder = try TemporaryFolder()
    let note = try note(folder, says)
    let error = try #require(throws: DataError.self) { try TokenizerFolder.find(option: nil, note: note) }
    #expect(error.file == note.file && error.problem.contains("says \"\(says)\""))
    #expect(error.cure?.contains("--tokenizer") == true)
    if !says.hasPrefix("/") { #expect(error.problem.contains("current folder")) }
    #expect(throws: DataError.self) { try TokenizerFolder.find(option: nil, note: nil) }
  }
}
