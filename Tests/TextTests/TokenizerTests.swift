import Formats
import Foundation
import Testing

@testable import Text

/// A tokenizer small enough to check by hand, and folders that are not a tokenizer.
@Suite struct TokenizerTests {
  private static let specials = ["<s>", "<pad>", "</s>", "<unk>", "."]
  private static let letters = ["a", "b", "c", "Ġ", "ab", "abc", "Ġab", "<|endoftext|>", "<mask>"]
  private static let merges = "#version: 0.2\na b\nab c\nĠ ab\n"

  private static func vocabulary(without missing: String = "") -> String {
    let entries = (specials + letters).enumerated().filter { $1 != missing }.map { "\"\($1)\": \($0)" }
    return "{\(entries.joined(separator: ", "))}"
  }

  /// A tokenizer folder with the given files; nil leaves one out.
  private func withFolder<Result>(
    vocabulary: String? = vocabulary(), merges: String? = merges, _ body: (String) throws -> Result
  ) throws -> Result {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("text-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try vocabulary?.write(to: folder.appendingPathComponent("vocab.json"), atomically: true, encoding: .utf8)
    try merges?.write(to: folder.appendingPathComponent("merges.txt"), atomically: true, encoding: .utf8)
    return try body(folder.path)
  }

  @Test func mergesByRank() throws {
    let tokenizer = try withFolder { try Tokenizer(directory: $0) }
    func tokens(_ text: String) -> [String] { tokenizer.encode(text).compactMap { tokenizer.tokens[$0] } }
    #expect(tokens("abc abc ab") == ["abc", "Ġ", "abc", "Ġab"])
    #expect(tokens("ababab") == ["ab", "ab", "ab"])
    #expect(tokens("caba") == ["c", "ab", "a"])
    #expect(tokens("z") == ["<unk>"])
    #expect(tokenizer.encodeQuery("ABC") == tokenizer.encode("abc"))
    #expect(tokenizer.encodeSubtitle("&#97;&#98;") == tokenizer.encode("ab"))
    #expect(tokenizer.decode(tokenizer.encode(" abc abc ")) == "abc abc")
    #expect(tokenizer.decode([-1, 99]) == "<unk><unk>")
  }

  @Test func treatsSpecialTokensInTextAsOneToken() throws {
    let tokenizer = try withFolder { try Tokenizer(directory: $0) }
    let (a, mask, bos) = (tokenizer.encode("a"), [tokenizer.mask], [tokenizer.bos])
    #expect(tokenizer.encode("a <mask> a") == a + mask + a)
    #expect(tokenizer.encode("<mask><mask>") == mask + mask)
    #expect(tokenizer.encode("  <s>  a<mask>") == bos + a + mask)
    #expect(tokenizer.encode("") == [])
    #expect(tokenizer.encode(" \n") == bos)
  }

  @Test func knowsItsSpecialIDs() throws {
    let tokenizer = try withFolder { try Tokenizer(directory: $0) }
    #expect(tokenizer.bos == 0 && tokenizer.cls == 0 && tokenizer.pad == 1)
    #expect(tokenizer.eos == 2 && tokenizer.sep == 2 && tokenizer.unk == 3 && tokenizer.mask == 13)
    #expect(tokenizer.vRange == 4..<13)
    #expect(tokenizer.tokens.count == 14)
  }

  @Test func leavesOutWhatFollowsTheLastLineFeed() throws {
    let tokenizer = try withFolder(merges: "#version: 0.2\r\na b\r\nab c") { try Tokenizer(directory: $0) }
    #expect(tokenizer.encode("abc").compactMap { tokenizer.tokens[$0] } == ["ab", "c"])
  }

  @Test func namesWhatIsWrong() throws {
    func problem(vocabulary: String? = Self.vocabulary(), merges: String? = Self.merges) throws -> String {
      try withFolder(vocabulary: vocabulary, merges: merges) { folder in
        do {
          _ = try Tokenizer(directory: folder)
          return "none"
        } catch let error as DataError {
          return error.description
        }
      }
    }
    #expect(try problem() == "none")
    #expect(try problem(vocabulary: nil).contains("vocab.json: no such file"))
    #expect(try problem(merges: nil).contains("merges.txt: no such file"))
    #expect(
      try problem(merges: "#version\na b\na b c\n").contains("merges.txt, line 3: expected two symbols"))
    #expect(try problem(merges: "#version\n").contains("no merges"))
    #expect(try problem(merges: "").contains("no merges"))
    #expect(try problem(vocabulary: "[]").contains("expected an object"))
    #expect(try problem(vocabulary: "{\"a\": -1}").contains("token \"a\""))
    #expect(try problem(vocabulary: "{\"a\": \"x\"}").contains("token \"a\""))
    #expect(try problem(vocabulary: "{\"a\": 99999999999}").contains("token \"a\""))
    #expect(try problem(vocabulary: Self.vocabulary(without: "<mask>")).contains("no token \"<mask>\""))
    for length in 0..<20 {
      #expect(try problem(vocabulary: String(Self.vocabulary().prefix(length))) != "none")
    }
  }

  @Test func givesTheSameToEveryThread() async throws {
    let tokenizer = try withFolder { try Tokenizer(directory: $0) }
    let texts = (0..<200).map {
      String(repeating: "abc ", count: $0 % 7) + String(repeating: "ca", count: $0)
    }
    let expected = try withFolder { folder in
      let alone = try Tokenizer(directory: folder)
      return texts.map(alone.encode)
    }
    let results = await withTaskGroup(of: [[Int32]].self) { group in
      for _ in 0..<4 { group.addTask { texts.map(tokenizer.encode) } }
      return await group.reduce(into: []) { $0.append($1) }
    }
    #expect(results.allSatisfy { $0 == expected })
  }
}
