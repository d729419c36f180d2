import Formats
import Foundation
import TestSupport
import Testing

@testable import Text

/// A tokenizer small enough to check by hand, and folders that are not a tokenizer.
@Suite struct TokenizerTests {
  private static let specials = ["<s>", "<pad>", "</s>", "<unk>", "."]
  private static let letters = ["a", "b", "c", "Ġ", "ab", "abc", "Ġab", "<|endoftext|>", "<mask>"]
  /// A byte-level vocabulary has every byte.
  private static let bytes = ByteAlphabet.scalars.map { String($0) }.filter {
    !(specials + letters).contains($0)
  }
  private static let merges = "#version: 0.2\na b\nab c\nĠ ab\n"

  private static func vocabulary(without missing: String = "") -> String {
    let entries = (specials + letters + bytes).enumerated().filter { $1 != missing }
      .map { "\(JSON.string($1).encoded()): \($0)" }
    return "{\(entries.joined(separator: ", "))}"
  }

  /// Runs `body` on a tokenizer folder with the given files; nil leaves one out.
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
    #expect(tokens("zé") == ["z", "Ã", "©"])
    #expect(tokenizer.encodeQuery("ABC") == tokenizer.encode("abc"))
    #expect(tokenizer.encodeSubtitle("&#97;&#98;") == tokenizer.encode("ab"))
    #expect(tokenizer.decode(tokenizer.encode(" abc abc ")) == "abc abc")
    #expect(tokenizer.decode([-1, 99_999]) == "<unk><unk>")
  }

  /// Tokens of `added_tokens.json` that HERO knows by name are taken, and others are reported and
  /// skipped.
  @Test func addedTokensAreTakenOrTold() throws {
    let notices = NoticeLog.shared
    try withFolder(vocabulary: Self.vocabulary(without: "<mask>")) { folder in
      let file = "\(folder)/added_tokens.json"
      try #"{"<mask>": 900, "ab": 9, "<speaker>": 901, "new": 902}"#.write(
        toFile: file, atomically: true, encoding: .utf8)
      let tokenizer = try Tokenizer(directory: folder)
      #expect(tokenizer.mask == 900 && tokenizer.encode("a<mask>").last == 900)
      #expect(tokenizer.vocabularySize == 901)
      #expect(
        notices.about(file).first?.contains("2 added tokens are left out, the first \"<speaker>\"") == true)
      try #"{"<mask>": -1}"#.write(toFile: file, atomically: true, encoding: .utf8)
      #expect(throws: DataError.self) { try Tokenizer(directory: folder) }
      try #"{"ab": 11}"#.write(toFile: file, atomically: true, encoding: .utf8)
      let error = try #require(throws: DataError.self) { try Tokenizer(directory: folder) }
      #expect(error.file == file && error.problem.contains("two ids"))
    }
  }

  /// A `tokenizer.json` that contradicts the two files is refused, and one of another kind is
  /// reported.
  @Test func twoTokenizersInOneFolderAreRefused() throws {
    let notices = NoticeLog.shared
    func fast(_ vocabulary: String, _ merges: String = #"["a b", "ab c", "\u0120 ab"]"#) -> String {
      #"{"model": {"type": "BPE", "vocab": \#(vocabulary), "merges": \#(merges)}}"#
    }
    let exchanged = Self.vocabulary().replacing(#""a": 5,"#, with: #""a": 6,"#)
      .replacing(#""b": 6,"#, with: #""b": 5,"#)
    try withFolder { folder in
      let file = "\(folder)/tokenizer.json"
      func refused(_ text: String) throws -> DataError {
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        let error = try #require(throws: DataError.self) { try Tokenizer(directory: folder) }
        #expect(error.file == file)
        return error
      }
      try fast(Self.vocabulary()).write(toFile: file, atomically: true, encoding: .utf8)
      #expect(try !Tokenizer(directory: folder).encode("ab").isEmpty && notices.about(file).isEmpty)
      let ids = try refused(fast(exchanged))
      #expect(ids.problem == "the id is 5, and 6 in \(folder)/vocab.json; 1 other ids differ too")
      #expect(ids.place == "token \"b\"")
      let other = try refused(fast(Self.vocabulary(), #"["a b", "b c"]"#))
      #expect(other.problem == "is \"b c\", and \"ab c\" in \(folder)/merges.txt" && other.place == "merge 1")
      #expect(try refused(fast(Self.vocabulary(), #"["a b", "ab c"]"#)).problem.hasPrefix("is not there"))
      try #"{"model": {"type": "WordPiece"}}"#.write(toFile: file, atomically: true, encoding: .utf8)
      #expect(try !Tokenizer(directory: folder).encode("ab").isEmpty)
      #expect(notices.about(file).first?.contains("kind WordPiece") == true)
      #expect(notices.about(file).first?.contains("It is left out") == true)
    }
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
    #expect(tokenizer.tokens.count == 14 + 251)
  }

  /// Every merge is read, with or without the version line, with any line ends, or none on the last
  /// line.
  @Test(arguments: [
    "#version: 0.2\r\na b\r\nab c\r\nĠ ab", "a b\nab c\nĠ ab\n", "\u{FEFF}#version: 0.2\ra b\rab c\rĠ ab\r",
    "\u{FEFF}a b\nab c\n\nĠ ab",
  ])
  func readsEveryMerge(_ merges: String) throws {
    let tokenizer = try withFolder(merges: merges) { try Tokenizer(directory: $0) }
    #expect(tokenizer.encode("abc ab").compactMap { tokenizer.tokens[$0] } == ["abc", "Ġab"])
  }

  /// Merges are read in UTF-16, as Windows' editors save them, and a zip archive is refused.
  @Test func mergesInOtherEncodings() throws {
    let usual = try withFolder { try Tokenizer(directory: $0).encode("abc ab") }
    for (encoding, mark) in [(String.Encoding.utf16LittleEndian, "\u{FEFF}"), (.utf16BigEndian, "\u{FEFF}")] {
      let found = try withFolder { folder in
        try #require((mark + Self.merges).data(using: encoding)).write(
          to: URL(fileURLWithPath: folder + "/merges.txt"))
        return try Tokenizer(directory: folder).encode("abc ab")
      }
      #expect(found == usual)
    }
    try withFolder { folder in
      try Data([0x50, 0x4B, 0x03, 0x04, 0x14, 0, 0, 0]).write(
        to: URL(fileURLWithPath: folder + "/merges.txt"))
      let error = try #require(throws: DataError.self) { try Tokenizer(directory: folder) }
      #expect(error.description.contains("merges.txt: is a zip archive"), "\(error)")
    }
  }

  @Test func readsAFastTokenizer() throws {
    let usual = try withFolder { try Tokenizer(directory: $0) }
    for merges in ["[\"a b\", \"ab c\", \"Ġ ab\"]", "[[\"a\", \"b\"], [\"ab\", \"c\"], [\"Ġ\", \"ab\"]]"] {
      let file = """
        {"version": "1.0", "normalizer": null, "pre_tokenizer": {"type": "ByteLevel"},
         "added_tokens": [{"id": 13, "content": "<mask>", "special": true}],
         "model": {"type": "BPE", "vocab": \(Self.vocabulary(without: "<mask>")), "merges": \(merges)}}
        """
      try withFolder(vocabulary: nil, merges: nil) { folder in
        try file.write(toFile: folder + "/tokenizer.json", atomically: true, encoding: .utf8)
        for path in [folder, folder + "/tokenizer.json"] {
          let tokenizer = try Tokenizer(directory: path)
          #expect(tokenizer.tokens == usual.tokens && tokenizer.mask == 13)
          #expect(tokenizer.encode("abc ab<mask>") == usual.encode("abc ab<mask>"))
          #expect(tokenizer.files == [folder + "/tokenizer.json"])
        }
      }
    }
  }

  @Test(arguments: [
    (#"{"model": {"type": "WordPiece", "vocab": {}}}"#, "of the kind WordPiece"),
    (#"{"normalizer": {"type": "Lowercase"}, "model": {"type": "BPE"}}"#, "changes texts (Lowercase)"),
    (#"{"model": {"type": "BPE"}}"#, "no \"vocab\" and \"merges\""),
    (#"{"model": {"vocab": {}, "merges": ["a"]}}"#, "merge 0 is not a pair"),
    (#"{"vocab": 1}"#, "no such key"),
    (
      #"{"pre_tokenizer": {"type": "Whitespace"}, "model": {"type": "BPE"}}"#,
      "another way than RoBERTa's tokenizer (Whitespace)"
    ),
    (
      #"{"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Split"}, {"type": "ByteLevel"}]}, "model": {}}"#,
      "(Sequence)"
    ),
    (#"{"model": {"end_of_word_suffix": "</w>"}}"#, "end_of_word_suffix \"</w>\""),
    (#"{"model": {"ignore_merges": true}}"#, "(ignore_merges)"),
  ])
  func refusesOtherFastTokenizers(_ file: String, problem: String) throws {
    try withFolder(vocabulary: nil, merges: nil) { folder in
      try file.write(toFile: folder + "/tokenizer.json", atomically: true, encoding: .utf8)
      let error = try #require(throws: DataError.self) { try Tokenizer(directory: folder) }
      #expect(error.description.contains(problem) && error.cure != nil)
    }
  }

  /// Byte-level BPE has a token for every text, so a vocabulary or merges without one are refused.
  @Test func refusesVocabularyAndMergesThatDoNotBelongTogether() throws {
    func problem(vocabulary: String = Self.vocabulary(), merges: String = Self.merges) throws -> String {
      try withFolder(vocabulary: vocabulary, merges: merges) { folder in
        let error = try #require(throws: DataError.self) { try Tokenizer(directory: folder) }
        return error.description
      }
    }
    let more = try problem(merges: Self.merges + "b c\n")
    let twice = try problem(merges: Self.merges + "a b\n")
    #expect(twice.contains("merges.txt, line 5: two symbols are merged twice, first at number 1: \"a b\""))
    #expect(more.contains("vocab.json: no token \"bc\"") && more.contains("merges.txt makes (line 5)"))
    #expect(try problem(vocabulary: Self.vocabulary(without: "Ã")).contains("no token \"Ã\""))
    let cut = try problem(merges: "#version: 0.2\na b\n")
    #expect(cut.contains("merges.txt: no merge makes the token \"abc\"") && cut.contains("nor 1 others"))
    let double = Self.vocabulary().replacing("\"b\": 6", with: "\"b\": 5")
    #expect(try problem(vocabulary: double).contains("\"a\" and \"b\" have one id, 5"))
    #expect(try problem(vocabulary: "{\"a\": 5, \"a\": 6}").contains("two ids, 5 and 6"))
    #expect(
      try problem(vocabulary: Self.vocabulary(without: "<s>").replacing("</s>", with: "<x>")).contains(
        "GPT-2's"))
    #expect(try problem(vocabulary: #"{"[CLS]": 0, "a": 1}"#).contains("BERT's"))
  }

  @Test func namesTokenizersOfOtherKinds() throws {
    for name in ["vocab.txt", "spiece.model"] {
      try withFolder(vocabulary: nil, merges: nil) { folder in
        try "[CLS]".write(toFile: folder + "/" + name, atomically: true, encoding: .utf8)
        let error = try #require(throws: DataError.self) { try Tokenizer(directory: folder) }
        #expect(error.file == "\(folder)/\(name)" && error.problem.contains("of another kind"))
      }
    }
    try withFolder { folder in
      let error = try #require(throws: DataError.self) { try Tokenizer(directory: folder + "/vocab.json") }
      #expect(error.problem.contains("is a file") && error.cure?.contains(folder) == true)
    }
  }

  /// Ids without a token do no harm.
  @Test func gapsInTheVocabularyDoNotMatter() throws {
    let gap = Self.vocabulary().replacing("\"<mask>\": 13", with: "\"<mask>\": 500")
    let tokenizer = try withFolder(vocabulary: gap) { try Tokenizer(directory: $0) }
    #expect(tokenizer.mask == 500 && tokenizer.vocabularySize == 501)
    #expect(tokenizer.decode([13]) == "<unk>")
  }

  /// A long word is merged as short ones are, and takes no longer for each byte.
  @Test func longWordsAreMergedAsShortOnes() throws {
    var merges: [String] = []
    for first in ["a", "b", "ab", "ba", "aa", "abb"] {
      for second in ["a", "b", "ab", "bb"] { merges.append("\(first) \(second)") }
    }
    let table = try withFolder(merges: merges.joined(separator: "\n")) {
      try MergeTable(TokenizerFiles(folder: $0))
    }
    var state: UInt64 = 7
    for length in [2, 3, 17, 127, 128] {
      for _ in 0..<20 {
        let word = (0..<length).map { _ -> UInt8 in
          state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
          return state >> 63 == 0 ? 0x61 : 0x62
        }
        word.withUnsafeBufferPointer { bytes in
          var long = LongWord(bytes.map { Int32($0) }, merges: table)
          #expect(table.symbols(of: bytes) == long.symbols())
        }
      }
    }
    let long = [UInt8](repeating: 0x61, count: 100_000)
    let time = ContinuousClock().measure {
      #expect(long.withUnsafeBufferPointer { table.symbols(of: $0).count } == 50_000)
    }
    #expect(time < .seconds(30))
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
    #expect(try problem(merges: "a \u{1F600}\n").contains("no token"))
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
