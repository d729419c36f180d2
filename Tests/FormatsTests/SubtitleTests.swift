import Foundation
import TestSupport
import Testing

@testable import Formats

@Suite("Subtitle files")
struct SubtitleTests {
  /// Ten thousand cues of the same times become one cue with the most text that a cue may have.
  @Test func cuesOfTheSameTimesAreBounded() {
    let text = (0..<10_000).map { "\($0)\n00:00:01,000 --> 00:00:02,000\nword\($0)\n\n" }.joined()
    let (cues, problems) = parse(text)
    #expect(cues.count == 1 && cues[0].lines.reduce(0) { $0 + $1.utf8.count } <= 4000)
    #expect(cues[0].lines.count > 400 && problems.count == 1)
  }

  private func parse(_ text: String) -> (cues: [SubtitleCue], problems: [String]) {
    var problems: [String] = []
    return (SubtitleFile.parse(Array(text.utf8)) { problems.append($0) }, problems)
  }

  private func cue(_ start: Double, _ end: Double, _ lines: String...) -> SubtitleCue {
    SubtitleCue(start: start, end: end, lines: lines)
  }

  @Test func subRip() {
    let (cues, problems) = parse(
      """
      1
      00:00:01,000 --> 00:00:02,500
      <i>Hello,</i> {\\an8}<font color="#fff">Anna</font>
      - How are  you?

      2
      00:01:03.5 --> 00:01:04,25
      3 < 4 & 5 &gt; 4

      3
      1:00:00,000 --> 1:00:01,000 X1:40 X2:600
      42
      """)
    #expect(
      cues == [
        cue(1, 2.5, "Hello, Anna", "- How are you?"), cue(63.5, 64.25, "3 < 4 & 5 &gt; 4"),
        cue(3600, 3601, "42"),
      ])
    #expect(problems.isEmpty)
  }

  @Test func subRipAsItIsFound() {
    // The cues have no numbers, blank lines only within, extra spaces and another order.
    let (cues, problems) = parse(
      "00:00:05,0-->00:00:06,0\r\nsecond\r\n\r\nstill second\r\n  00:00:01,0  -->  00:00:02,0  \r\nfirst\r\n17\r\n"
    )
    #expect(cues == [cue(1, 2, "first", "17"), cue(5, 6, "second", "still second")])
    #expect(problems.isEmpty)
  }

  @Test func brokenTimesAreTold() {
    let (cues, problems) = parse(
      """
      1
      00:00:01,000 --> 00:00:0x,000
      lost

      2
      00:00:05,000 --> 00:00:04,000
      backwards

      3
      00:61:00,000 --> 00:62:00,000
      no such minute

      4
      00:00:06,000 --> 00:00:07,000
      kept
      """)
    #expect(cues == [cue(6, 7, "kept")])
    #expect(problems.count == 3)
    #expect(
      problems[0].hasPrefix("line 2: ") && problems[1].hasPrefix("line 6: ")
        && problems[2].hasPrefix("line 10: "))
  }

  @Test func webVTT() {
    let (cues, problems) = parse(
      """
      WEBVTT - a title
      Kind: captions

      STYLE
      ::cue { color: red }

      REGION
      id:fred

      NOTE 00:00:00.000 -> not a cue
      of several lines

      intro
      00:01.000 --> 00:02.000 align:start position:0%
      <v Fred>Hi, I&apos;m <c.loud>Fred</c>

      00:00:03.000 --> 00:00:04.500
      <00:00:03.200>one<00:00:03.700> two
      00:00:05.000 --> 00:00:06.000
      no blank line before
      """)
    #expect(
      cues == [
        cue(1, 2, "Hi, I&apos;m Fred"), cue(3, 4.5, "one two"), cue(5, 6, "no blank line before"),
      ])
    #expect(problems.isEmpty)
  }

  @Test func captionsThatRollAreReadOnce() {
    let (cues, _) = parse(
      """
      WEBVTT

      00:00.000 --> 00:02.000
      so today we

      00:02.000 --> 00:02.010
      so today we

      00:02.010 --> 00:04.000
      so today we
      are cooking

      00:04.000 --> 00:06.000
      are cooking
      soup

      00:09.000 --> 00:10.000
      soup
      """)
    #expect(
      cues == [
        cue(0, 2.01, "so today we"), cue(2.01, 4, "are cooking"), cue(4, 6, "soup"), cue(9, 10, "soup"),
      ])
  }

  @Test func cuesOfTheSameTimesBecomeOne() {
    let (cues, _) = parse("0:01,0 --> 0:02,0\nA\n\n0:01,0 --> 0:02,0\nB\n\n0:01,5 --> 0:03,0\nC\n")
    #expect(cues == [cue(1, 2, "A", "B"), cue(1.5, 3, "C")])
  }

  @Test func encodings() {
    let text = "1\n00:00:01,000 --> 00:00:02,000\nCafé “naïve” – ü\n"
    let expected = [cue(1, 2, "Café “naïve” – ü")]
    let units = Array(text.utf16)
    let little = units.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] }
    let big = units.flatMap { [UInt8(truncatingIfNeeded: $0 >> 8), UInt8(truncatingIfNeeded: $0)] }
    for bytes in [
      Array(text.utf8), [0xEF, 0xBB, 0xBF] + Array(text.utf8), [0xFF, 0xFE] + little, [0xFE, 0xFF] + big,
    ] {
      #expect(SubtitleFile.parse(bytes) { Issue.record("\($0)") } == expected)
    }
    var told: [String] = []
    for bytes in [little, big] { #expect(SubtitleFile.parse(bytes) { told.append($0) } == expected) }
    var windows = Array("1\n00:00:01,000 --> 00:00:02,000\nCaf".utf8)
    windows += [0xE9, 0x20, 0x93] + "na".utf8 + [0xEF]
    windows += "ve".utf8 + [0x94, 0x20, 0x96, 0x20, 0xFC, 0x0A]
    #expect(SubtitleFile.parse(windows) { told.append($0) } == expected)
    #expect(told.count == 3 && told[2].contains("Windows-1252"))
  }

  /// A cue at a time that no video reaches is left out with its line number, and the others stay.
  @Test func timesBeyondAllVideos() {
    for times in ["10000:00:00,000 --> 10000:00:01,000", "00:00:02,000 --> 9999:00:00,000"] {
      let (cues, problems) = parse(
        "1\n00:00:01,000 --> 00:00:02,000\na\n\n2\n\(times)\nb\n\n3\n00:00:03,000 --> 00:00:04,000\nc\n")
      #expect(cues == [cue(1, 2, "a"), cue(3, 4, "c")])
      #expect(problems.count == 1 && problems[0].hasPrefix("line 6: it ends at 3"), "\(problems)")
    }
  }

  @Test func endlessTextIsCut() {
    let (cues, problems) = parse("0:01,0 --> 0:02,0\nkept\n" + String(repeating: "x", count: 100_000))
    #expect(cues == [cue(1, 2, "kept", String(repeating: "x", count: 3996))])
    #expect(problems.count == 1)
  }

  /// Damaged files never trap, and their cues are in order and have valid times.
  @Test func damagedFiles() {
    let texts = [
      "WEBVTT\n\nNOTE x\n\n1\n00:01.000 --> 00:02.000 line:1\n<v A>B</v>\n\n2\n00:03.000 --> 00:04.000\n<<i>C\n",
      "1\r\n00:00:01,000 --> 00:00:02,500\r\n<b>A\r\n\r\n2\r\n00:00:03,000 --> 00:00:04,000\r\n{\\i1}é\r\n",
    ]
    for text in texts {
      let bytes = Array(text.utf8)
      for damaged in Damage.truncations(bytes) + Damage.flips(bytes) {
        let cues = SubtitleFile.parse(damaged)
        #expect(cues.allSatisfy { $0.end > $0.start && $0.start >= 0 && $0.end < 1e9 && !$0.lines.isEmpty })
        #expect(zip(cues, cues.dropFirst()).allSatisfy { $0.start <= $1.start })
      }
    }
  }

  /// Speech with arrows in it is not read as times (found by fuzzing).
  @Test func arrowsInWhatIsSaidAreNoTimes() throws {
    let lines = [
      "00:00:03,000 --> 00:00:04,000", "a --->b", "00:00:03,000 -> 00:00:04,000", "0:03.000,0:04.000",
    ]
    let read = SubtitleFile.parse(
      Array(SubtitleFile.subRip([SubtitleCue(start: 1, end: 2, lines: lines)]).utf8))
    #expect(read.count == 1 && read.first?.lines.count == lines.count)
    #expect(read.first?.start == 1 && read.first?.end == 2)
  }

  /// The time to read grows with the length of a text.
  ///
  /// Looking back again and again would take hours here.
  @Test(
    .timeLimit(.minutes(30)),
    arguments: [
      "<a", "{\\", "-->\n", "--", "0:01,0 --> 0:02,0\n<", "\r\n\r", "1\n", "0:01,0 --> 0:02,0\nsame\n\n",
      "<a>",
      "NOTE\n\n",
    ])
  func timeGrowsWithTheLength(_ piece: String) {
    for head in ["WEBVTT\n\n", "0:01,0 --> 0:02,0\n"] {
      let bytes = Array((head + String(repeating: piece, count: 300_000)).utf8)
      #expect(SubtitleFile.parse(bytes).count <= 300_001)
    }
  }

  @Test func whatIsWrittenIsReadBack() {
    let cues = [cue(0, 1.5, "one", "two"), cue(2, 3723.025, "three & <four")]
    #expect(SubtitleFile.parse(Array(SubtitleFile.subRip(cues).utf8)) == cues)
  }

  @Test func aFileWithoutCuesIsRefused() throws {
    let folder = try TemporaryFolder()
    let path = try folder.file("a.srt", "nothing of the kind")
    #expect(throws: DataError.self) { try SubtitleFile.read(path: path) }
    #expect(try SubtitleFile.read(path: try folder.file("empty.srt", "\n")).isEmpty)
  }
}
