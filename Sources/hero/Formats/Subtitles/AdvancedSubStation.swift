/// Subtitles of (Advanced) SubStation Alpha, `.ass` and `.ssa`: `Dialogue:` lines of `[Events]`.
public enum AdvancedSubStation {
  /// Returns the lines of a dialogue without commands in braces and without drawings.
  ///
  /// A drawing is, for example, `{\p1}m 0 0 l 9 9{\p0}`.
  public static func lines(of text: Substring) -> [String] {
    var lines: [[UInt8]] = [[]]
    let bytes = Array(text.utf8)
    var (place, isDrawing) = (0, false)
    var isUnclosed = false
    while place < bytes.count {
      let byte = bytes[place]
      if byte == UInt8(ascii: "{"), !isUnclosed {
        if let end = bytes[place...].firstIndex(of: UInt8(ascii: "}")) {
          isDrawing = draws(bytes[place..<end]) ?? isDrawing
          place = end + 1
          continue
        }
        isUnclosed = true
      }
      if byte == UInt8(ascii: "\\"), place + 1 < bytes.count {
        let next = bytes[place + 1]
        if next | 0x20 == UInt8(ascii: "n") || next == UInt8(ascii: "h") {
          if next == UInt8(ascii: "h") { lines[lines.count - 1].append(0x20) } else { lines.append([]) }
          place += 2
          continue
        }
      }
      if !isDrawing { lines[lines.count - 1].append(byte) }
      place += 1
    }
    return lines.map { String(decoding: $0, as: UTF8.self) }
  }

  /// Returns whether the last drawing command begins a drawing (`\p1`) or ends it (`\p0`); nil if
  /// there is none.
  ///
  /// `\pos(…)` and `\pbo0` are no drawing commands.
  private static func draws(_ commands: ArraySlice<UInt8>) -> Bool? {
    var result: Bool?
    var place = commands.startIndex
    while place + 2 < commands.endIndex {
      if commands[place] == UInt8(ascii: "\\"), commands[place + 1] == UInt8(ascii: "p"),
        (0x30...0x39).contains(commands[place + 2])
      {
        result = commands[(place + 2)...].prefix { (0x30...0x39).contains($0) }.contains { $0 != 0x30 }
      }
      place += 1
    }
    return result
  }

  static func isMeant(by lines: [Substring]) -> Bool {
    lines.prefix(200).contains { line in
      let name = String(decoding: line.utf8.lazy.filter { $0 != 0x20 }.prefix(16), as: UTF8.self).lowercased()
      return name == "[scriptinfo]" || name == "[events]" || name.hasPrefix("dialogue:0")
    }
  }

  /// Returns the dialogues that are said, with their times.
  static func timed(_ lines: [Substring], onProblem: (Int, String) -> Void) -> [TimedLines] {
    var fields = (start: 1, end: 2, style: 3, text: 9)
    var cues: [(cue: TimedLines, place: TextPlace)] = []
    for (number, whole) in lines.enumerated() {
      let line = Substring(whole.utf8.drop { $0 == 0x20 || $0 == 0x09 })
      guard let first = line.utf8.first, [UInt8(ascii: "d"), UInt8(ascii: "f")].contains(first | 0x20),
        let colon = line.utf8.prefix(20).firstIndex(of: UInt8(ascii: ":"))
      else { continue }
      let kind = String(decoding: line.utf8[..<colon].filter { $0 > 0x20 }, as: UTF8.self).lowercased()
      let rest = line[line.utf8.index(after: colon)...]
      if kind == "format" {
        let names = rest.utf8.split(separator: UInt8(ascii: ",")).map {
          String(decoding: $0.filter { $0 != 0x20 && $0 != 0x09 }, as: UTF8.self)
        }
        if let start = names.firstIndex(of: "Start"), let end = names.firstIndex(of: "End"),
          let text = names.firstIndex(of: "Text")
        {
          fields = (start, end, names.firstIndex(of: "Style") ?? -1, text)
        }
      }
      guard kind == "dialogue" else { continue }
      let values = rest.utf8.split(
        separator: UInt8(ascii: ","), maxSplits: fields.text, omittingEmptySubsequences: false
      ).map { Substring($0) }
      guard values.count == fields.text + 1, max(fields.start, fields.end) < values.count,
        let start = CueTiming.seconds(values[fields.start]), let end = CueTiming.seconds(values[fields.end])
      else {
        onProblem(number, "the times cannot be read; the cue is left out")
        continue
      }
      let cue = TimedLines(
        line: number, start: start, end: end, lines: self.lines(of: values[fields.text]).map { $0[...] })
      let style = values.indices.contains(fields.style) ? values[fields.style] : ""
      cues.append((cue, place(of: values[fields.text], style: style)))
    }
    // A cue with nothing but drawings has no text and does not count.
    let texts = cues.filter { $0.cue.lines.contains { !$0.isEmpty } }
    guard !texts.isEmpty else { return cues.map(\.cue) }
    let said = said(of: texts) { ($0.start, $0.end) }
    if said.count < texts.count, let first = texts.first(where: { $0.place != .usual }) {
      onProblem(
        first.cue.line, "\(texts.count - said.count) cues of signs are not said; they are left out")
    }
    return said
  }

  /// The place of a dialogue's text in the picture.
  public enum TextPlace: Sendable {
    /// The usual place of subtitles.
    case usual
    /// A point of its own (`\pos`, `\move`), which signs and moved subtitles have.
    case own
    /// The place of signs, told by the name of the style.
    case sign
  }

  /// Returns the place that a dialogue's commands and its style's name tell.
  public static func place(of text: Substring, style: Substring) -> TextPlace {
    if isOfSigns(style) { return .sign }
    let bytes = text.utf8
    var place = bytes.startIndex
    while let open = bytes[place...].firstIndex(of: UInt8(ascii: "{")),
      let end = bytes[open...].firstIndex(of: UInt8(ascii: "}"))
    {
      if bytes[open..<end].split(separator: UInt8(ascii: "\\")).contains(where: {
        $0.starts(with: "pos(".utf8) || $0.starts(with: "move(".utf8)
      }) {
        return .own
      }
      place = end
    }
    return .usual
  }

  /// Returns the cues without those of signs, which are read in the picture and not said.
  ///
  /// Nothing tells whether a cue at a point of its own is a sign or moved speech. Such cues count
  /// as signs if the usual ones cover more time. If a file has only signs, it was made for them and
  /// all are returned.
  public static func said<Cue>(
    of cues: [(cue: Cue, place: TextPlace)], times: (Cue) -> (start: Double, end: Double)
  ) -> [Cue] {
    func covered(_ place: TextPlace) -> Double {
      var (total, until) = (0.0, -Double.infinity)
      let spans = cues.filter { $0.place == place }.map { times($0.cue) }
      for (start, end) in spans.sorted(by: { $0.start < $1.start }) where end > until {
        total += end - max(start, until)
        until = end
      }
      return total
    }
    let usual = covered(.usual)
    let keepsMoved = usual <= covered(.own)
    let said = cues.filter { $0.place == .usual || ($0.place == .own && keepsMoved) }
    return (said.isEmpty ? cues : said).map(\.cue)
  }

  /// Returns whether a style's name says that its text is read in the picture: `Signs`, `sign_2`,
  /// `Typesetting`.
  private static func isOfSigns(_ style: Substring) -> Bool {
    let words = style.lowercased().split { !$0.isLetter }
    return words.contains { ["sign", "signs", "typeset", "typesetting"].contains($0) }
  }
}

/// A cue before its tags are removed.
struct TimedLines {
  /// The number of the line in the file, from 0.
  var line: Int
  var start: Double
  var end: Double
  /// The other times at which the same is said.
  var again: [(start: Double, end: Double)] = []
  var lines: [Substring]
}
