import Formats
import Foundation
import TestSupport
import Testing

@testable import Text

/// The reference's ids for other people's texts, and for the texts of the golden stores.
@Suite struct TokenizerGoldenTests {
  @Test(.enabled(if: SharedData.real != nil, "needs shared/real"))
  func matchesTheReferenceOnRealText() throws {
    let real = try #require(SharedData.real)
    let tokenizer = try Tokenizer(directory: real.appendingPathComponent("roberta-base").path)
    var rows = 0
    try JSONLines.read(path: real.appendingPathComponent("tokenizer_golden.jsonl").path) { line, row in
      let text = try #require(row["text"]?.string)
      func ids(_ key: String) throws -> [Int32] {
        try #require(row[key]?.array).map { Int32(try #require($0.int)) }
      }
      let caption = try ids("caption")
      #expect(tokenizer.encodeQuery(text) == (try ids("query")), "line \(line), query")
      #expect(tokenizer.encodeSubtitle(text) == (try ids("subtitle")), "line \(line), subtitle")
      #expect(tokenizer.encode(text) == caption, "line \(line), caption")
      let decoded = try #require(row["decoded"]?.string)
      #expect(tokenizer.decode(caption).utf8.elementsEqual(decoded.utf8), "line \(line), decoding")
      rows += 1
    }
    #expect(rows == 3081)
  }

  @Test(.enabled(if: SharedData.real != nil, "needs shared/real"))
  func encodesAMegabyteASecond() throws {
    let real = try #require(SharedData.real)
    let tokenizer = try Tokenizer(directory: real.appendingPathComponent("roberta-base").path)
    var texts: [String] = []
    try JSONLines.read(path: real.appendingPathComponent("tvr_val_release.jsonl").path) { _, row in
      texts.append(try #require(row["desc"]?.string))
    }
    var tokens = 0
    let time = ContinuousClock().measure {
      for text in texts { tokens += tokenizer.encodeQuery(text).count }
    }
    let bytes = texts.reduce(0) { $0 + $1.utf8.count }
    let seconds = Double(time.components.seconds) + Double(time.components.attoseconds) * 1e-18
    #expect(tokens > texts.count)
    #expect(Double(bytes) / seconds > 1e6, "\(Double(bytes) / seconds / 1e6) MB/s")
  }
}
