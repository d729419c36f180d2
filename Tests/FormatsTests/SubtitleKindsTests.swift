import Foundation
import TestSupport
import Testing

@testable import Formats

@Suite("Kinds of subtitles and their encodings")
struct SubtitleKindsTests {
  private func parse(_ bytes: [UInt8], encoding: String? = nil) -> (cues: [SubtitleCue], told: [String]) {
    var told: [String] = []
    return (SubtitleFile.parse(bytes, encoding: encoding) { told.append($0) }, told)
  }

  private func cue(_ start: Double, _ end: Double, _ lines: String...) -> SubtitleCue {
    SubtitleCue(start: start, end: end, lines: lines)
  }

  @Test func subStationAlpha() {
    let (cues, told) = parse(
      Array(
        """
        [Script Info]
        ScriptType: v4.00+

        [Events]
        Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
        Dialogue: 0,0:00:01.00,0:00:02.50,D,,0,0,0,,{\\an8\\pos(1,2)}Hello, you\\Nthere {\\i1}now{\\i0}
        Comment: 0,0:00:01.00,0:00:02.50,D,,0,0,0,,a note
        Dialogue: 0,0:00:02.60,0:00:02.80,D,,0,0,0,,{\\p1}m 0 0 l 100 0 100 100{\\p0}
        Dialogue: 0,0:00:03.00,0:00:04.50,D,,0,0,0,,{\\pbo5\\p2}m 0 0{\\p0}after\\hit
        Dialogue: 0,soon,0:00:04.50,D,,0,0,0,,lost
        """.utf8))
    #expect(cues == [cue(1, 2.5, "Hello, you", "there now"), cue(3, 4.5, "after it")])
    #expect(told.count == 1 && told[0].hasPrefix("line 10: "))
    // A file of drawings alone is read and gives no cues.
    let drawing = "[Events]\nDialogue: 0,0:00:01.00,0:00:02.00,D,,0,0,0,,{\\p1}m 0 0\n"
    #expect(parse(Array(drawing.utf8)).cues.isEmpty)
  }

  @Test func timedText() {
    let (cues, told) = parse(
      Array(
        """
        <?xml version="1.0"?>
        <tt xmlns="http://www.w3.org/ns/ttml" xmlns:ttp="x" ttp:frameRate="25" ttp:tickRate="10000000"><!-- <p begin="1s" end="2s">no</p> -->
        <body><div begin="10s"><p begin="00:00:01.000" end="00:00:02.500">Hello<br/>there <span style="a">you</span></p>
        <p begin="30000000t" dur="2s">A &amp; B</p><p begin="00:00:05:05" end="00:00:06:00">frames</p>
        <p><span begin="7s" end="8s">one</span> <span begin="8s" end="9s">two</span></p><p>never</p></div></body></tt>
        """.utf8))
    #expect(
      cues == [
        cue(11, 12.5, "Hello", "there you"), cue(13, 15, "A &amp; B"), cue(15.2, 16, "frames"),
        cue(17, 19, "one two"),
      ])
    #expect(told.count == 1)
  }

  @Test func sami() {
    let text = """
      <SAMI><HEAD><STYLE TYPE="text/css"><!-- .ENCC {Name:English;} --></STYLE></HEAD><BODY>
      <SYNC Start=1000><P Class=KRCC>other<P Class=ENCC>Hello<br>there
      <SYNC Start=3000><P Class=ENCC>&nbsp;
      <SYNC Start=4000><P Class=ENCC>bye
      </BODY></SAMI>
      """
    #expect(parse(Array(text.utf8)).cues == [cue(1, 3, "Hello", "there"), cue(4, 14, "bye")])
  }

  @Test func lyrics() {
    let text =
      "[ar:me]\n[offset:500]\n[00:01.50]line one\n[00:03.00][00:09.00]chorus <00:03.50>x\n[00:05.00]\n"
    #expect(
      parse(Array(text.utf8)).cues == [
        cue(1, 2.5, "line one"), cue(2.5, 4.5, "chorus x"), cue(8.5, 18.5, "chorus x"),
      ])
  }

  /// Lines of one time are shown together until the next later time.
  ///
  /// Reading takes time in proportion to their number.
  @Test(.timeLimit(.minutes(30))) func lyricsOfOneTime() {
    let few = "[00:01.00]one\n[00:01.00]two\n[00:04.00][00:01.00]three\n[00:06.00]four\n[00:06.00]five\n"
    #expect(
      parse(Array(few.utf8)).cues == [cue(1, 6, "one", "two", "three"), cue(6, 16, "four", "five")])
    // Looking for the later line from each of them would take 10^10 steps here, minutes.
    let count = 100_000
    let many = (0..<count).map { "[00:01.00]\($0)\n" }.joined() + "[00:03.00]end\n"
    let (cues, _) = parse(Array(many.utf8))
    #expect(cues.map(\.end) == [3, 13] && cues.last?.lines == ["end"])
    #expect(cues.first?.lines.first == "0")
  }

  @Test func lyricsWithSomethingOdd() {
    let text = """
      \u{FEFF}[ti:a song]\r
      [length:03:00]
      [00:05]no hundredths
        [00:07.5]indented
      [1:00:01.25]hours
      [00:09:50]points are colons
      [xx:01.00]no time
      [00:08.00]
      spoken without a time
      """
    let (cues, _) = parse(Array(text.utf8))
    #expect(cues.map(\.start).sorted() == cues.map(\.start) && cues.allSatisfy { $0.end > $0.start })
    #expect(cues.contains(cue(5, 7.5, "no hundredths")) && cues.contains(cue(7.5, 8, "indented")))
    #expect(!cues.contains { $0.text.contains("a song") || $0.text.contains("no time") })
  }

  /// Many times before a long text and many lines of one time are bounded, since their product
  /// would take hours.
  @Test(.timeLimit(.minutes(30))) func lyricsThatComeOften() {
    let times = (0..<20_000).map { "[\($0 / 60 % 60):\($0 % 60)]" }.joined()
    let (cues, told) = parse(Array((times + String(repeating: "<i>x</i> ", count: 50_000)).utf8))
    // They touch each other, so that they are one cue.
    #expect(cues.count == 1 && cues[0].end == 109 && cues[0].text.utf8.count <= 4000)
    #expect(told.contains { $0.contains("comes 20000 times; the first 100 are taken") }, "\(told.prefix(3))")
    let same = parse(Array(String(repeating: "[00:01]a\n", count: 50_000).utf8)).cues
    #expect(same == [cue(1, 11, "a")])
  }

  /// Flags, which are pairs of regional indicators, are never read as characters.
  ///
  /// Finding the characters of a slice looks back to its beginning, so a megabyte of flags would
  /// take hours.
  @Test(
    .timeLimit(.minutes(30)),
    arguments: [
      "1\n00:00:01,000 --> 00:00:02,000\n*", "WEBVTT\n\n00:01.000 --> 00:02.000\n*", "WEBVTT\n\nNOTE*\n",
      "x\n00:00:01,000 --> *", "[00:01.00]*", "[offset:*]\n[00:01.00]a", "x\n[*",
      "[Events]\nFormat: Start*\nDialogue: 0,0:00:01.00,0:00:02.00,D,,0,0,0,,*",
      "<tt><body><p begin='1s' end='2s'>*</p><p begin='*' *='*'><*></*></body></tt>",
      "<SAMI><SYNC Start=1><P Class=*>* &nbsp;*<SYNC Start=*><P>*",
    ])
  func flags(_ text: String) {
    let flags = String(repeating: "\u{1F1E6}", count: 30_000)
    for piece in [flags, flags + ":" + flags, flags + "-->" + flags] {
      let cues = parse(Array(text.replacing("*", with: piece).utf8)).cues
      #expect(SubtitleFile.parse(Array(SubtitleFile.subRip(cues).utf8)).count <= cues.count)
    }
  }

  /// Automatic captions are read as yt-dlp saves them: the first line of a cue is a space or empty.
  @Test(arguments: ["", " "]) func automaticCaptions(blank: String) {
    let text = """
      WEBVTT
      Kind: captions

      00:00:00.799 --> 00:00:02.869 align:start position:0%
      \(blank)
      hi<00:00:01.040><c> everyone</c><00:00:01.920><c> today</c>

      00:00:02.869 --> 00:00:02.879 align:start position:0%
      hi everyone today
      \(blank)

      00:00:02.879 --> 00:00:04.070 align:start position:0%
      hi everyone today
      modeling<00:00:03.360><c> a</c><00:00:03.520><c> basic</c>

      00:00:04.070 --> 00:00:04.080 align:start position:0%
      modeling a basic
      \(blank)

      """
    #expect(
      parse(Array(text.utf8)).cues == [
        cue(0.799, 2.879, "hi everyone today"), cue(2.879, 4.08, "modeling a basic"),
      ])
  }

  @Test func webVTTBlocksEndCues() {
    let text =
      "WEBVTT\n\nfirst\n00:01.000 --> 00:02.000\none\n\nmore\n\nNOTE nobody\nsays this\n\n2\n00:03.000 --> 00:04.000\n\ntwo\n"
    #expect(parse(Array(text.utf8)).cues == [cue(1, 2, "one", "more"), cue(3, 4, "two")])
    #expect(parse(Array("WEBVTT\n00:01.000 --> 00:02.000\none".utf8)).cues == [cue(1, 2, "one")])
  }

  @Test func carriageReturnsBeforeALineFeedAreOneLineEnd() {
    let text =
      "1\r\r\n00:00:01,000 --> 00:00:02,000\r\r\none\r\r\n\r\r\n2\r\r\n00:00:03,000 --> 00:00:04,000\r\r\ntwo\r\r\n"
    #expect(parse(Array(text.utf8)).cues == [cue(1, 2, "one"), cue(3, 4, "two")])
    #expect(parse(Array("1\r0:01,0 --> 0:02,0\rone\r\r2\r0:03,0 --> 0:04,0\rtwo".utf8)).cues.count == 2)
  }

  private static let russian = "1\n00:00:01,000 --> 00:00:02,000\nЯ не знаю, что сказать об этом.\n"
  private static let japanese = "1\n00:00:01,000 --> 00:00:02,000\n今日はとても良い天気ですね。\n"

  /// Encodes a text in a code page by the C library.
  private func encoded(_ text: String, _ name: String) throws -> [UInt8] {
    let converter = try #require(iconv_open(name, "UTF-8"))
    defer { iconv_close(converter) }
    var (input, output) = (Array(text.utf8).map { CChar(bitPattern: $0) }, [CChar](repeating: 0, count: 4096))
    let made = input.withUnsafeMutableBufferPointer { input in
      output.withUnsafeMutableBufferPointer { output in
        var (from, left, to, room) = (input.baseAddress, input.count, output.baseAddress, output.count)
        return iconv(converter, &from, &left, &to, &room) == -1 ? 0 : output.count - room
      }
    }
    #expect(made > 0)
    return output.prefix(made).map { UInt8(bitPattern: $0) }
  }

  @Test(arguments: ["CP1251", "KOI8-R", "CP866", "ISO-8859-5", "UTF-16LE", "UTF-16BE"])
  func cyrillicIsGuessed(name: String) throws {
    for text in [Self.russian, Self.russian.uppercased()] {
      let bytes = try encoded(text, name)
      let (cues, told) = parse(bytes)
      #expect(cues == parse(Array(text.utf8)).cues)
      #expect(told.count == 1 && told[0].contains(name))
      #expect(parse(bytes, encoding: name).told.isEmpty)
    }
  }

  @Test(arguments: ["CP932", "EUC-JP", "UTF-16LE"]) func japaneseIsGuessed(name: String) throws {
    let bytes = try encoded(Self.japanese, name)
    let (cues, told) = parse(bytes)
    #expect(cues == parse(Array(Self.japanese.utf8)).cues)
    #expect(told.count == 1 && told[0].contains(name))
  }

  @Test(arguments: [
    ("GB18030", "这是一个关于学习的视频，我们今天来看看怎么做到的。"),
    ("BIG5-HKSCS", "這是一個關於學習的影片，我們今天來看看怎麼做到的。"),
    ("CP949", "안녕하세요 오늘은 날씨가 좋습니다"), ("CP1253", "Καλημέρα σας, τι κάνετε σήμερα; Όλα είναι καλά."),
    ("CP1255", "שלום מה שלומך היום ילדים יפים שלום מה שלומך היום ילדים יפים שלום מה שלומך היום"),
    ("CP1253", "ΚΑΛΗΜΕΡΑ ΣΑΣ, ΤΙ ΚΑΝΕΤΕ ΣΗΜΕΡΑ; ΟΛΑ ΕΙΝΑΙ ΚΑΛΑ. ΘΕΛΩ ΝΑ ΠΑΩ ΣΤΟ ΣΠΙΤΙ."),
    ("CP1254", "ÖĞRETMEN BİZE KIZACAK, DEĞİL Mİ? ŞİMDİ GİDİYORUZ, ÇÜNKÜ GEÇ KALDIK. İŞİM ÇOK YOĞUN."),
    ("KOI8-R", "мы идем сегодня в кино, потому что погода плохая и мама не может гулять с собакой"),
    ("CP1251", "привет, как дела, все хорошо"), ("WINDOWS-1252", "Ça va être très élégant, señor Müller!"),
  ])
  func otherCodePagesAreGuessed(name: String, line: String) throws {
    let (cues, told) = parse(try encoded("1\n00:00:01,000 --> 00:00:02,000\n\(line)\n", name))
    #expect(cues == [cue(1, 2, line)])
    #expect(told.count == 1 && told[0].uppercased().contains(name), "\(told)")
  }

  @Test func anEncodingThatIsGivenIsTaken() throws {
    let bytes = try encoded("1\n00:00:01,000 --> 00:00:02,000\nΚαλημέρα\n", "CP1253")
    #expect(parse(bytes, encoding: "CP1253").cues == [cue(1, 2, "Καλημέρα")])
    #expect(
      TextEncoding.isKnown("SHIFT_JIS") && !TextEncoding.isKnown("NO-SUCH")
        && !TextEncoding.isKnown("UTF-8//IGNORE"))
  }

  /// Bytes that an encoding lacks become U+FFFD and are counted, however many they are.
  @Test(.timeLimit(.minutes(30))) func bytesThatAnEncodingLacks() throws {
    for (name, good, bad, count) in [
      ("CP1251", "\u{41F}\u{440}\u{438}\u{432}\u{435}\u{442} ", [0x98], 1),
      ("CP932", "\u{3042}\u{3044}", [0xA0], 1),
      ("EUC-JP", "\u{3042}\u{3044}", [0xFF], 1),
    ] as [(String, String, [UInt8], Int)] {
      let bytes = try encoded(good, name) + bad + (try encoded(good, name))
      let (text, found) = try #require(TextEncoding.decode(bytes[...], as: name))
      #expect(text == good + "\u{FFFD}" + good && found == count, "\(name): \(text)")
      let many = bytes + Array(repeatElement(bad, count: 200_000).joined())
      #expect(TextEncoding.decode(many[...], as: name)?.bad == 200_001)
    }
    let times = Array("1\n00:00:01,000 --> 00:00:02,000\n".utf8)
    let russian = try encoded(
      String(repeating: "\u{41F}\u{440}\u{438}\u{432}\u{435}\u{442} ", count: 50), "CP1251")
    #expect(parse(times + russian + [0x98] + russian).cues.count == 1)
  }

  @Test func oneBadByteLeavesUTF8() {
    var bytes = Array((Self.russian + "\n2\n00:00:03,000 --> 00:00:04,000\nПока\n").utf8)
    bytes.insert(0xFF, at: bytes.count - 1)
    let (cues, told) = parse(bytes)
    #expect(cues.count == 2 && cues.first?.text == "Я не знаю, что сказать об этом.")
    #expect(told.count == 1 && told[0].contains("UTF-8"))
  }

  @Test func aLongCueKeepsItsBeginning() {
    let (cues, told) = parse(Array(("0:01,0 --> 0:02,0\nx" + String(repeating: "é", count: 5000)).utf8))
    #expect(cues.first?.text == "x" + String(repeating: "é", count: 1999))
    #expect(told.count == 1)
  }

  /// A sparse file of 60 GB is refused before it is read.
  @Test func sizeIsAskedFirst() throws {
    let folder = try TemporaryFolder()
    let path = try folder.file("a.srt", "")
    #expect(truncate(path, 60 << 30) == 0)
    #expect(throws: DataError.self) { try SubtitleFile.read(path: path) }
    let pipe = folder.path("b.srt")
    #expect(mkfifo(pipe, 0o600) == 0)
    #expect(throws: DataError.self) { try SubtitleFile.read(path: pipe) }
  }

  /// Damaged files give valid cues, and repeated pieces do not make reading look back again and
  /// again.
  @Test(.timeLimit(.minutes(30))) func damagedKinds() {
    let texts = [
      "[Script Info]\n[Events]\nDialogue: 0,0:00:01.00,0:00:02.00,D,,0,0,0,,{\\p1}m{\\p0}a\\Nb\n",
      "<tt><body><p begin=\"1s\" end='2s'>a<br/>b</p></body></tt>", "<SAMI><SYNC Start=1><P Class=A>a<br>b",
      "[00:01.00][00:02.00]a\n[00:03]b\n",
    ]
    for text in texts {
      let bytes = Array(text.utf8)
      for damaged in Damage.truncations(bytes) + Damage.flips(bytes) {
        let cues = SubtitleFile.parse(damaged)
        #expect(cues.allSatisfy { $0.end > $0.start && $0.start >= 0 && $0.end < 1e9 && !$0.lines.isEmpty })
      }
      for piece in ["<p", "<p>", "{\\p1", "[00:01]", "<!--", "Dialogue: ", "</p>", "<br/>", "\r"] {
        _ = SubtitleFile.parse(bytes + Array(String(repeating: piece, count: 100_000).utf8))
      }
    }
  }
}
