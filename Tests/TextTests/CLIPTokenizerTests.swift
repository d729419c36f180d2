import Formats
import Foundation
import TestSupport
import Testing

@testable import Text

@Suite struct CLIPTokenizerTests {
  private func check(_ tokenizer: CLIPTokenizer, _ path: String) throws -> Int {
    var rows = 0
    try JSONLines.read(path: path) { line, row in
      let text = try #require(row["text"]?.string)
      rows += 1
      // The tokenizer does not repair mojibake, as ftfy does.
      if text == "schÃ¶n" { return }
      let ids = try #require(row["ids"]?.array).map { Int32(try #require($0.int)) }
      #expect(tokenizer.encode(text) == ids, "line \(line): \(text)")
    }
    return rows
  }

  @Test(arguments: ["words", "words/merges.txt", "merges.txt.gz"])
  func matchesOpenCLIPByEveryFile(vocabulary: String) throws {
    let tokenizer = try CLIPTokenizer(path: Fixtures.path("CLIP/\(vocabulary)"))
    #expect(try check(tokenizer, Fixtures.path("CLIP/tokens.jsonl")) == 15)
    #expect(Int(tokenizer.end) == tokenizer.vocabularySize - 1 && tokenizer.start == tokenizer.end - 1)
  }

  /// On real text the tokenizer matches with CLIP's own merges, which `HERO_CLIP_VOCABULARY` names.
  @Test(
    .enabled(
      if: SharedData.real != nil && ProcessInfo.processInfo.environment["HERO_CLIP_VOCABULARY"] != nil,
      "needs shared/real and HERO_CLIP_VOCABULARY"))
  func matchesOnRealText() throws {
    let path = try #require(ProcessInfo.processInfo.environment["HERO_CLIP_VOCABULARY"])
    let tokenizer = try CLIPTokenizer(path: path)
    #expect(tokenizer.vocabularySize == 49_408 && tokenizer.end == 49_407)
    let real = try #require(SharedData.real).appendingPathComponent("clip_tokens.jsonl").path
    #expect(try check(tokenizer, real) == 2199)
  }

  @Test func longTextsAreCut() throws {
    let tokenizer = try CLIPTokenizer(path: Fixtures.path("CLIP/words"))
    let (ids, isCut) = tokenizer.encode("a man opens a door", most: 5)
    #expect(isCut && ids == Array(tokenizer.encode("a man opens a door").prefix(4)) + [tokenizer.end])
    #expect(tokenizer.encode("a man opens a door", most: 77).isCut == false)
  }

  @Test func otherVocabulariesAreRefused() throws {
    let folder = try TemporaryFolder()
    _ = try folder.file("roberta/vocab.json", #"{"<s>": 0, "a": 1}"#)
    _ = try folder.file("roberta/merges.txt", "#version: 0.2\na b\n")
    _ = try folder.file(
      "fast/tokenizer.json", #"{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}}"#)
    _ = try folder.file("empty/weights.pt", "")
    _ = try folder.file("twice.txt", "#version: 0.2\na b\na b\n")
    for name in ["roberta", "fast", "empty", "twice.txt", "none"] {
      let error = try #require(throws: DataError.self, "\(name)") {
        try CLIPTokenizer(path: folder.path(name))
      }
      #expect(error.file?.contains(name) == true && error.cure != nil, "\(error)")
    }
    #expect(throws: DataError.self) {
      try CLIPVocabulary.find(option: nil, weights: folder.path("empty/weights.pt"))
    }
    let words = Fixtures.path("CLIP/words")
    #expect(try CLIPVocabulary.find(option: nil, weights: words + "/weights.pt") == words)
  }
}
