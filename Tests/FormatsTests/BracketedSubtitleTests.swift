import Foundation
import TestSupport
import Testing

@testable import Formats

@Suite("Subtitles with times in brackets")
struct BracketedSubtitleTests {
  private func cue(_ start: Double, _ end: Double, _ lines: String...) -> SubtitleCue {
    SubtitleCue(start: start, end: end, lines: lines)
  }

  /// The first line gives the frame rate, also with a decimal comma, or else the video does.
  @Test(
    arguments: [
      ("{1}{1}25\n", nil), ("{1}{1}25,000\r\n", 30), ("{0}{0}25.0\n", nil), ("", 25),
      ("{DEFAULT}{}{C:$00FF00}\n", 25),
    ] as [(String, Double?)])
  func microDVD(_ head: String, _ rate: Double?) throws {
    var told: [String] = []
    let text = head + "{25}{75}{y:i}Hello|there\n{100}{}No end\n{150}{200}12 men\n"
    let cues = SubtitleFile.parse(Array(text.utf8), frameRate: rate) { told.append($0) }
    #expect(cues == [cue(1, 3, "Hello", "there"), cue(4, 6, "No end"), cue(6, 8, "12 men")])
    #expect(told.count == (head.contains("25") ? 0 : 1), "\(told)")
  }

  @Test func framesOfUnknownLengthAreRefused() throws {
    let folder = try TemporaryFolder()
    let path = try folder.file("a.sub", "{0}{25}25 men\n{30}{60}you\n")
    let error = #expect(throws: DataError.self) { try SubtitleFile.read(path: path) }
    #expect(error?.description.contains("{1}{1}25") == true && error?.file == path)
    #expect(try SubtitleFile.read(path: path, frameRate: { 12.5 }).map(\.end) == [2, 4.8])
  }

  @Test func mpl2() {
    let text = "[0][25]/slanted|Hello\n[30][55]there\n[60][]end\n"
    #expect(
      SubtitleFile.parse(Array(text.utf8)) { Issue.record("\($0)") } == [
        cue(0, 2.5, "slanted", "Hello"), cue(3, 5.5, "there"), cue(6, 16, "end"),
      ])
  }

  @Test func subViewer() {
    let text =
      "[INFORMATION]\n[TITLE]x\n[END INFORMATION]\n[SUBTITLE]\n[COLF]&HFFFFFF,[STYLE]bd\n"
      + "00:00:01.50,00:00:03.00\nHello[br]there\n\n00:00:04.00,00:00:05.25\nend\n"
    #expect(
      SubtitleFile.parse(Array(text.utf8)) { Issue.record("\($0)") } == [
        cue(1.5, 3, "Hello there"), cue(4, 5.25, "end"),
      ])
  }

  /// The content decides whether a `.txt` is subtitles, and whether a `.sub` is text or VobSub's
  /// pictures.
  @Test func filesOfSharedEndings() throws {
    let folder = try TemporaryFolder()
    #expect(SubtitleFile.isFound(in: try folder.file("a.txt", "[0][25]Hello\n[30][55]there\n")))
    #expect(!SubtitleFile.isFound(in: try folder.file("b.txt", "[0] see [1]\nA description\nof the film")))
    let pictures = folder.path("c.sub")
    try Data([0, 0, 1, 0xBA, 0x44, 0, 4]).write(to: URL(fileURLWithPath: pictures))
    #expect(SubtitleFile.isPictures(path: pictures))
    #expect(throws: DataError.self) { try SubtitleFile.read(path: pictures) }
  }

  @Test(.timeLimit(.minutes(30))) func manyLines() {
    let text =
      String(repeating: "{1}{", count: 200_000) + "\n" + String(repeating: "[1][2]a|b\n", count: 50_000)
    #expect(SubtitleFile.parse(Array(text.utf8)).count == 1)
  }
}

@Suite("Marks and signs in subtitles")
struct SubtitleMarkTests {
  /// Line separators within a line become spaces, and other invisible controls are removed.
  @Test func controlsAreNotSaid() {
    let text = "1\n00:00:01,000 --> 00:00:02,000\none\u{85}two\u{2028}three\u{2029}fo\u{9D}ur\n"
    #expect(SubtitleFile.parse(Array(text.utf8)).map(\.lines) == [["one two three four"]])
  }

  /// Captions without times, as WhisperX writes what it could not align, are left out.
  @Test func captionsWithoutTimes() {
    let text =
      #"{"segments": [{"text": "lost"}, {"start": 1, "end": 2, "text": "kept"}, {"start": null, "text": " "}]}"#
    var told: [String] = []
    #expect(SubtitleFile.parse(Array(text.utf8)) { told.append($0) }.map(\.lines) == [["kept"]])
    #expect(told == ["line 1: 1 captions have no times; they are left out"])
    told = []
    let table = "start\tend\ttext\n1000\t2000\tkept\nsoon\t4000\tlost\n\n"
    #expect(SubtitleFile.parse(Array(table.utf8)) { told.append($0) }.map(\.lines) == [["kept"]])
    #expect(told == ["line 3: the times cannot be read; the cue is left out"])
  }

  /// The times of a stream's joined segments count from the first one's clock.
  @Test func joinedSegments() {
    func segment(_ clock: Int, _ local: String, _ text: String) -> String {
      "WEBVTT\nX-TIMESTAMP-MAP=LOCAL:\(local),MPEGTS:\(clock)\n\n00:00:01.000 --> 00:00:02.000\n\(text)\n\n"
    }
    let text =
      segment(900_000, "00:00:00.000", "one") + segment(1_440_000, "00:00:00.000", "two")
      + segment(900_000, "00:00:00.000", "three") + segment(1_800_000, "00:00:10.000", "four")
    let cues = SubtitleFile.parse(Array(text.utf8)) { Issue.record("\($0)") }
    #expect(cues.map(\.start) == [1, 7] && cues.map(\.lines) == [["one", "three", "four"], ["two"]])
  }

  @Test func signsAreNotSaid() {
    let head = "[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
    let sign = "Dialogue: 0,0:00:01.00,0:00:02.50,Show Signs,,0,0,0,,{\\an8\\pos(1,2)}POLICE\n"
    let said = "Dialogue: 0,0:00:01.00,0:00:02.50,Designer,,0,0,0,,{\\pos(1,2)}Hello\n"
    var told: [String] = []
    let cues = SubtitleFile.parse(Array((head + sign + said).utf8)) { told.append($0) }
    #expect(cues.map(\.lines) == [["Hello"]])
    #expect(told.count == 1 && told[0].hasPrefix("line 3: 1 cues of signs"), "\(told)")
    // A positioned cue is a sign beside others that cover more time, in any style.
    let usual = "Dialogue: 0,0:00:03.00,0:00:05.00,Default,,0,0,0,,{\\i1}Bye{\\i0}\n"
    #expect(SubtitleFile.parse(Array((head + sign + said + usual).utf8)).map(\.lines) == [["Bye"]])
    let short = usual.replacing("5.00", with: "4.50")
    #expect(SubtitleFile.parse(Array((head + said + short).utf8)).map(\.lines) == [["Hello"], ["Bye"]])
    let moved = said.replacing("pos(1,2)", with: "fad(9,9)\\move(1,2,3,4)")
    #expect(SubtitleFile.parse(Array((head + moved + usual).utf8)).map(\.lines) == [["Bye"]])
    // In a file of signs alone the signs are kept.
    #expect(SubtitleFile.parse(Array((head + sign).utf8)).map(\.lines) == [["POLICE"]])
  }
}

@Suite("Code pages that letters tell")
struct CodePageTests {
  /// Returns the bytes of a text in a single-byte code page.
  private static func bytes(_ text: String, _ name: String) throws -> [UInt8] {
    var bytes: [Unicode.Scalar: UInt8] = [:]
    for byte in UInt8(0x80)...0xFF {
      let scalars = try #require(TextEncoding.decode([byte], as: name)).text.unicodeScalars
      if let scalar = scalars.first { bytes[scalar] = byte }
    }
    return try text.unicodeScalars.map { scalar in
      scalar.value < 0x80 ? UInt8(scalar.value) : try #require(bytes[scalar], "\(scalar)")
    }
  }

  private static let texts: [(language: String, pages: [String], text: String)] = [
    (
      "Polish", ["CP1250", "ISO-8859-2"],
      "Nie wiem, co się stało. Myślę, że już wróciła do domu. Gdzie są moje książki? Proszę, zostań ze mną jeszcze chwilę."
    ),
    (
      "Czech", ["CP1250", "ISO-8859-2"],
      "Nevím, co se stalo. Myslím, že už šla domů. Kde jsou moje knížky? Prosím, zůstaň se mnou ještě chvíli, příteli."
    ),
    (
      "Hungarian", ["CP1250", "ISO-8859-2"],
      "Nem tudom, mi történt. Azt hiszem, ő már hazament. Hol vannak a könyveim? Kérlek, maradj velem egy kis időre, szükségem van rád, és jöjjön ő is, ha tűz van. Különös nő."
    ),
    (
      "Croatian", ["CP1250"],
      "Ne znam što se dogodilo. Mislim da je već otišla kući. Gdje su moje knjige? Molim te, ostani još malo, želim te čuti. Reći ću ti sve, možda."
    ),
    (
      "Romanian", ["CP1250"],
      "Nu ştiu ce s-a întâmplat. Cred că a plecat deja acasă. Unde sunt cărţile mele? Te rog, rămâi puţin cu mine, fără să spui nimănui."
    ),
    (
      "Turkish", ["CP1254"],
      "Ne olduğunu bilmiyorum. Sanırım çoktan eve gitmiş. Kitaplarım nerede? Lütfen biraz daha yanımda kal, şimdi değil, yarın."
    ),
    (
      "Lithuanian", ["CP1257"],
      "Nežinau, kas atsitiko. Manau, kad ji jau grįžo namo. Kur mano knygos? Prašau, pabūk su manimi dar šiek tiek, norėčiau kalbėti."
    ),
    ("Arabic", ["CP1256"], "لا أعرف ماذا حدث. أعتقد أنها ذهبت إلى المنزل. أين كتبي؟ من فضلك ابق معي قليلا"),
    (
      "Russian", ["CP1251"],
      "Я не знаю, что случилось. Думаю, она уже ушла домой. Где мои книги? Пожалуйста, останься со мной."
    ),
    (
      "French", ["CP1252"],
      "Je ne sais pas ce qui s’est passé. Je crois qu’elle est déjà rentrée à la maison. Où sont mes livres ? Ça m’est égal, même très tôt."
    ),
    (
      "German", ["CP1252"],
      "Ich weiß nicht, was geschehen ist. Sie müsste längst zu Hause sein. Für mich wäre es schön, natürlich. Größer!"
    ),
    (
      "Spanish", ["CP1252"],
      "No sé qué pasó. Creo que ya se fue a casa. ¿Dónde están mis libros? Quédate un poco más, mañana será otro día. ¡Adiós!"
    ),
    (
      "Portuguese", ["CP1252"],
      "Não sei o que aconteceu. Acho que ela já foi para casa. Onde estão os livros? Por favor, não vá, é só um instante, você é bom coração."
    ),
    (
      "Swedish", ["CP1252"],
      "Jag vet inte vad som har hänt. Hon har nog gått hem för länge sedan. Var är mina böcker? Snälla, stanna på ön."
    ),
    (
      "Danish", ["CP1252"],
      "Jeg ved ikke, hvad der er sket. Hun er nok gået hjem for længe siden. Hvor er mine bøger? Bliv på øen, så går det."
    ),
    (
      "Icelandic", ["CP1252"],
      "Ég veit ekki hvað gerðist. Ég held að hún sé farin heim. Hvar eru bækurnar mínar? Það er gott að þú ert hér, við skulum fá okkur kaffi."
    ),
    (
      "Italian", ["CP1252"],
      "Non so cosa sia successo, perché è già andata via. Però può tornare più tardi, così sarà felice. Verrà lunedì."
    ),
  ]

  @Test func textsAreReadAsTheyWereWritten() throws {
    for (language, pages, text) in Self.texts {
      for page in pages {
        // Turkish capitals beyond ASCII have the bytes of Icelandic ones.
        for text in language == "Turkish" ? [text] : [text, text.uppercased()] {
          // The code page may lack some of the capitals.
          guard let bytes = try? Self.bytes(text, page) else { continue }
          let read = SubtitleText.decode(bytes)
          #expect(read.text == text, "\(language) in \(page): \(read.note ?? "")")
        }
      }
    }
  }

  /// A text with few letters stays in the default code page.
  @Test func shortTextsStay() {
    #expect(SubtitleText.decode(Array("caf".utf8) + [0xE9, 0x20, 0xB3]).text == "café ³")
  }
}
