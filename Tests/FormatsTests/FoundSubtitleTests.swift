import Foundation
import TestSupport
import Testing

@testable import Formats

/// Subtitle files that deviate from their formats.
@Suite("Subtitles as they are found")
struct FoundSubtitleTests {
  private func parse(_ text: String) -> (cues: [SubtitleCue], told: [String]) {
    var told: [String] = []
    return (SubtitleFile.parse(Array(text.utf8)) { told.append($0) }, told)
  }

  private func cue(_ start: Double, _ end: Double, _ lines: String...) -> SubtitleCue {
    SubtitleCue(start: start, end: end, lines: lines)
  }

  private static let subRip =
    "1\n00:00:01,000 --> 00:00:02,000\nHello there\n\n2\n00:00:03,000 --> 00:00:04,000\nBye now\n"
  private var both: [SubtitleCue] { [cue(1, 2, "Hello there"), cue(3, 4, "Bye now")] }

  /// Times are read though translation programs and spreadsheets changed what stands between the
  /// numbers.
  @Test(arguments: [
    (":", " : "), (":", ": "), (",000", ":000"), (",000", ";000"), (",000", " , 000"), ("-->", "->"),
    ("-->", "→"), ("-->", "- ->"), ("-->", "—>"), ("-->", "--&gt;"), (" --> ", "\u{A0}-->\u{A0}"),
    (":", "："), (",000", "，000"), (" --> ", "-->"), (",000", ""), ("00:0", "0:0"),
  ])
  func timesAsOthersSpellThem(_ usual: String, _ other: String) {
    let (cues, told) = parse(Self.subRip.replacing(usual, with: other))
    #expect(cues == both && told.isEmpty, "\(told)")
  }

  @Test(arguments: [
    "00:00:01:12 --> 00:00:02:00", "00:00:01;12 --> 00:00:02;00", "0:01,0:02", "00:01 00:02", "1 --> 2",
  ])
  func whatIsNoLineOfTimes(_ line: String) { #expect(CueTiming(line[...]) == nil) }

  @Test func timesThatProgramsHaveMoved() {
    let (cues, told) = parse(
      "1\n-00:00:03,000 --> -00:00:02,000\nbefore\n\n2\n-00:00:01,000 --> 00:00:02,000\nHello\n")
    #expect(cues == [cue(0, 2, "Hello")])
    #expect(
      told.count == 2 && told[0].contains("ends at -2.0 s") && told[1].contains("from 0 s on"), "\(told)")
  }

  /// Cue numbers are not read as speech in joined files, nor with doubled numbers or line ends.
  @Test(arguments: [
    "\u{FEFF}\u{FEFF}" + subRip, subRip.replacing("\n\n2", with: "\n\n\u{FEFF}2"),
    subRip.replacing("\n\n2\n", with: "\n\n2\n\n2\n"), subRip.replacing("\n", with: "\n\n"),
    subRip.replacing("now\n", with: "now\n\u{1A}"),
  ])
  func numbersAreNotSaid(_ text: String) {
    let (cues, told) = parse(text)
    #expect(cues == both && told.isEmpty, "\(cues) \(told)")
  }

  /// WebVTT without its first line is not read as SubRip, nor its notes and names as speech.
  @Test(arguments: [
    "Kind: captions\nLanguage: en\n\n",
    "NOTE\nsomebody's notes\nof two lines\n\n", "STYLE\n::cue { color: red }\n\n", "",
  ])
  func webVTTWithoutItsFirstLine(_ head: String) {
    let (cues, told) = parse(
      head
        + "intro\n00:00:01.000 --> 00:00:02.000\nHello there\n\nthe end\n00:03.000 --> 00:04.000 line:1,end\nBye now\n\n"
        + "NOTE not said\n")
    #expect(cues == both && told.isEmpty, "\(cues) \(told)")
  }

  /// SubRip with decimal points stays SubRip, so a word before a time is speech.
  @Test func subRipWithPoints() {
    let text =
      "1\n00:00:01.000 --> 00:00:02.000\nHello\n\nthere\n\n2\n00:00:03.000 --> 00:00:04.000\nBye now\n"
    #expect(parse(text).cues == [cue(1, 2, "Hello", "there"), cue(3, 4, "Bye now")])
  }

  @Test func numbersThatAreSaid() {
    let text = "00:01,0 --> 00:02,0\nHow many\n\n00:03,0 --> 00:04,0\n42\n\n00:05,0 --> 00:06,0\nBye\n"
    #expect(parse(text).cues == [cue(1, 2, "How many"), cue(3, 4, "42"), cue(5, 6, "Bye")])
    let apart = "1\n00:01,0 --> 00:02,0\n7\n\n42\n\n2\n00:03,0 --> 00:04,0\n2\n"
    #expect(parse(apart).cues == [cue(1, 2, "7", "42"), cue(3, 4, "2")])
  }

  @Test(arguments: [
    ("Hello<br>there", "Hello there"), ("Hello<BR />there", "Hello there"), ("Hello\\Nthere", "Hello there"),
    ("Hello\\h\\hthere", "Hello there"), ("{y:i}Hello there", "Hello there"),
    ("{c:$0000ff}Hello there", "Hello there"), ("Hello\u{A0}there", "Hello there"),
    ("Hello&nbsp;there&lrm;", "Hello there"), ("\u{200B}Hello\u{202F}there\u{200F}", "Hello there"),
    ("Hello\u{3000}there", "Hello there"), ("so\u{AD}me", "some"), ("{a} b: {c", "{a} b: {c"),
    ("C:\\new <brief>x", "C:\\new x"), ("a & b", "a & b"), ("日本\u{3002}", "日本\u{3002}"),
    ("\u{1F468}\u{200D}\u{1F469}", "\u{1F468}\u{200D}\u{1F469}"),
  ])
  func whatIsNotSaid(_ line: String, _ said: String) {
    #expect(CueText.stripped(line[...]) == said)
  }

  @Test func webVTTSegmentsThatWereJoined() {
    let text = "WEBVTT\n\n00:01.000 --> 00:02.000\nHello there\n\nWEBVTT\nX-TIMESTAMP-MAP=LOCAL:0\n\n"
    #expect(parse(text + "00:03.000 --> 00:04.000\nBye now\n").cues == both)
  }

  @Test func thumbnailsAreNotSaid() throws {
    let folder = try TemporaryFolder()
    let pictures =
      "WEBVTT\n\n00:00.000 --> 00:05.000\nsprite.jpg#xywh=0,0,160,90\n\n00:05.000 --> 00:09.000\nb.png\n"
    let path = try folder.file("a.vtt", pictures)
    let error = #expect(throws: DataError.self) { try SubtitleFile.read(path: path) }
    #expect(error?.problem.contains("thumbnails") == true)
    let mixed = try folder.file("b.vtt", pictures + "\n00:10.000 --> 00:11.000\nLook at a.png\n")
    #expect(try SubtitleFile.read(path: mixed).count == 3)
  }

  @Test(arguments: [
    "Dialogue: 0,0:00:01.00,0:00:02.00,D,,0,0,0,,Hello there\nDialogue: 0,0:00:03.00,0:00:04.00,D,,0,0,0,,Bye now\n",
    "[events]\n  dialogue : 0,0:00:01.00,0:00:02.00,D,,0,0,0,,Hello there\ndialogue: 0,0:00:03.00,0:00:04.00,D,,0,0,0,,Bye now\n",
  ])
  func dialoguesWithoutAHead(_ text: String) { #expect(parse(text).cues == both) }

  @Test func timedText() {
    func document(_ body: String) -> String {
      "<?xml version='1.0'?><tt><body><div>\(body)</div></body></tt>"
    }
    let cdata =
      "<p begin='1s' end='2s'><![CDATA[Hello there]]></p><p begin='3s' end='4s'>Bye <![CDATA[now</p>"
    #expect(parse(document(cdata)).cues.first == cue(1, 2, "Hello there"))
    let sequence =
      "<div timeContainer='seq' begin='1s'><p dur='1s'>one</p><p dur='1s'>two</p><p begin='1s' dur='1s'>three</p></div>"
    #expect(parse(document(sequence)).cues == [cue(1, 2, "one"), cue(2, 3, "two"), cue(4, 5, "three")])
    let described = "<p begin='1s' end='2s'><metadata><title>no</title></metadata>Hello there</p>"
    #expect(parse(document(described)).cues == [cue(1, 2, "Hello there")])
  }

  /// Subtitles are read in the forms of YouTube, Whisper, whisper.cpp and others.
  @Test(arguments: [
    #"<?xml version="1.0"?><timedtext format="3"><head/><body><p t="1000" d="1000">Hello there</p><p t="2000" d="9" a="1">\n</p><p t="3000" d="1000"><s>Bye</s><s t="2"> now</s></p></body></timedtext>"#
      .replacing("\\n", with: "\n"),
    #"<transcript><text start="1" dur="1">Hello there</text><text start="3" dur="1">Bye now</text></transcript>"#,
    #"<timedtext><text t="1000" d="1000">Hello there</text><text t="3000" d="1000">Bye now</text></timedtext>"#,
    #"{"wireMagic": "pb3", "events": [{"tStartMs": 0, "dDurationMs": 9000, "id": 1}, {"tStartMs": 1000, "dDurationMs": 1000, "segs": [{"utf8": "Hello"}, {"utf8": " there", "tOffsetMs": 3}]}, {"tStartMs": 2000, "aAppend": 1, "segs": [{"utf8": "\n"}]}, {"tStartMs": 3000, "dDurationMs": 1000, "segs": [{"utf8": "Bye now"}]}]}"#,
    #"{"text": "…", "segments": [{"id": 0, "start": 1.0, "end": 2.0, "text": " Hello there"}, {"start": 3, "end": 4, "text": " Bye now"}], "language": "en"}"#,
    #"{"result": {}, "transcription": [{"offsets": {"from": 1000, "to": 2000}, "text": " Hello there"}, {"offsets": {"from": 3000, "to": 4000}, "text": " Bye now"}]}"#,
    #"[{"text": "Hello there", "start": 1, "duration": 1}, {"text": "Bye now", "start": 3.0, "duration": 1.0}]"#,
    "0:00:01.000,0:00:02.000\nHello there\n\n0:00:03.000,0:00:04.000\nBye now\n",
    "start\tend\ttext\n1000\t2000\tHello there\n3000\t4000\tBye now\n",
    "start\tend\ttext\r\n1000\t2000\t Hello there\r\n3000\t4000\tBye now",
    #"{"text": "…", "chunks": [{"timestamp": [1.0, 2.0], "text": " Hello there"}, {"timestamp": [3.0, 4.0], "text": " Bye now"}]}"#,
    #"[{"text": "Hello there", "start": "1.0", "end": "2.0"}, {"text": "Bye now", "start": "3", "end": "4"}]"#,
  ])
  func captionsOfVideoSites(_ text: String) {
    let (cues, told) = parse(text)
    #expect(cues == both && told.isEmpty, "\(cues) \(told)")
  }

  @Test func captionsWithoutAnEnd() {
    let text = "<transcript><text start='1'>one</text><text start='3'>Tom &amp;#39;s</text></transcript>"
    #expect(parse(text).cues == [cue(1, 3, "one"), cue(3, 13, "Tom &#39;s")])
    // Other JSON holds no subtitles.
    for text in [
      "{}", "[]", "[1]", #"{"events": 3}"#, #"[{"start": 1}]"#, #"{"events": [{"tStartMs": 1e300}]}"#,
    ] {
      #expect(parse(text).cues.isEmpty)
    }
  }

  @Test func whatAnXMLDeclarationSaysIsTaken() {
    var bytes = Array("<?xml version='1.0' encoding='windows-1251'?><tt><body><p begin='1s' end='2s'>".utf8)
    bytes += [0xC4, 0xE0]
    bytes += Array("</p></body></tt>".utf8)
    var told: [String] = []
    #expect(SubtitleFile.parse(bytes) { told.append($0) } == [cue(1, 2, "Да")])
    #expect(told.isEmpty)
  }
}
