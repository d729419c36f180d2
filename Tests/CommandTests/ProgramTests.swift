import Testing

@testable import hero

struct ProgramTests {
  @Test func underscoresOfFlagsBecomeDashes() {
    let words = ["create-txtdb", "--vid2dur_idx", "a_b", "--frame_length=1_5", "x_y", "--", "--a_b"]
    #expect(
      Program.dashed(words) == [
        "create-txtdb", "--vid2dur-idx", "a_b", "--frame-length=1_5", "x_y", "--", "--a_b",
      ])
  }

  @Test func helpAndVersionGoToStandardOutput() throws {
    for word in ["--help", "--version"] {
      let run = try HeroProcess(word)
      #expect(run.status == 0)
      #expect(!run.output.isEmpty)
      #expect(run.errors.isEmpty)
    }
  }

  @Test(arguments: [["nothing"], ["--nothing"]])
  func wrongCommandLinesExitWithTwo(words: [String]) throws {
    let run = try HeroProcess(arguments: words)
    #expect(run.status == 2)
    #expect(run.output.isEmpty)
    #expect(run.errors.hasPrefix("hero: error: "))
  }
}
