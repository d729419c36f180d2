import Foundation
import Testing
import Text

@testable import Demo

@Suite struct TokenizerTests {
  @Test func mergesAreTheMostFrequentPairsFirst() {
    // "ab" occurs 4 times and "abc" 2 times; " x" occurs once and is never merged.
    let merges = BytePairTrainer.merges(from: ["ab", "abc", "abc", "ab x"], limit: 10)
    #expect(merges == [.init(left: "a", right: "b"), .init(left: "ab", right: "c")])
    #expect(BytePairTrainer.merges(from: ["ab", "abc", "abc"], limit: 1).count == 1)
    #expect(BytePairTrainer.merges(from: [], limit: 10).isEmpty)
  }

  @Test func wordsAreCutAsByGPT2() {
    let words = BytePairTrainer.merges(from: Array(repeating: " it's a day", count: 2), limit: 100)
    let spelt = Set(words.map { $0.left + $0.right })
    #expect(spelt.contains("it") && spelt.contains("'s") && spelt.contains("Ġa") && spelt.contains("Ġday"))
    #expect(!spelt.contains("it's") && !spelt.contains("Ġit"))
  }

  @Test func layoutIsRobertas() throws {
    let tokenizer = try DemoCorpus(smallOptions()).tokenizer()
    let vocabulary = tokenizer.vocabulary
    #expect(Array(vocabulary.prefix(5)) == ["<s>", "<pad>", "</s>", "<unk>", "."])
    #expect(vocabulary.last == "<mask>" && vocabulary.count % 8 == 0)
    #expect(Set(vocabulary).count == vocabulary.count)
    #expect(Set(ByteAlphabet.scalars.map { String($0) }).isSubset(of: vocabulary))
    #expect(Set(ByteAlphabet.scalars).count == 256)
    let end = try #require(vocabulary.firstIndex(of: "<|endoftext|>"))
    #expect(vocabulary[(end + 1)...].dropLast().allSatisfy { $0.hasPrefix("madeupword") })
    #expect(end + 1 < vocabulary.count - 1)
  }

  /// hero's own tokenizer reads the files, encodes names as single tokens and restores any text.
  @Test func theTokenizerOfTheModelReadsIt() throws {
    let path = temporaryPath("demo-tokenizer")
    defer { try? FileManager.default.removeItem(atPath: path) }
    let corpus = try DemoCorpus(smallOptions())
    try corpus.write(to: path)
    let tokenizer = try Tokenizer(directory: path + "/tokenizer")
    #expect(tokenizer.vRange.lowerBound == 4)
    #expect(tokenizer.vRange.upperBound < tokenizer.mask)
    for person in Lexicon.people {
      #expect(tokenizer.encode("x \(person.name)").count == 2, "\(person.name) is not one token")
    }
    for text in [
      "Amara cleans the violin in the kitchen.", "Naïve — 5,000 times! ✓", "On the bridge, Ivan is late.",
    ] {
      #expect(tokenizer.decode(tokenizer.encode(text)) == text)
    }
    #expect(tokenizer.encode("Diego hides the old clock.").count <= 7)
  }
}
