import Formats
import Testing

@testable import Metrics

/// TVC's captions are scored as the reference's `TVCEval` scores them.
struct TVCScoresTests {
  private func row(_ clip: QueryID, _ captions: [String]) -> CaptionRow {
    CaptionRow(video: "v", clip: clip, times: nil, captions: captions)
  }

  @Test func charactersBeyondASCIIAreSpaces() throws {
    let scorer = try CaptionScorer(
      [row("1", [" he says na\u{EF}ve\u{2026} things\n"])],
      references: [row("1", ["he says na ve things", "he says na\u{E9}ve things"])], meteor: nil)
    #expect(scorer.corpus.first { $0.name == "Bleu_4" }.map { abs($0.value - 100) < 1e-4 } == true)
  }

  @Test func clipsComeInTheOrderOfTheReferences() throws {
    let scorer = try CaptionScorer(
      [row("8", ["a cow", "ignored"]), row("10", ["a cat"]), row("7", ["beyond the references"])],
      references: [row("10", ["a cat"]), row("9", []), row("8", ["a dog"])], meteor: nil)
    #expect(scorer.ids == ["10", "8"])
  }

  @Test func missingPredictionsAreNamed() throws {
    let error = try #require(throws: DataError.self) {
      try CaptionScorer(
        [row("8", ["c"]), row("9", [])], references: [row("10", ["a"]), row("9", ["b"]), row("8", ["c"])],
        meteor: nil)
    }
    #expect(error.problem.hasPrefix("2 clips") && error.place == "clip 10")
  }
}
