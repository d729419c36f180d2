/// Subtitles of (Advanced) SubStation Alpha, `.ass` and `.ssa`: `Dialogue:` lines of `[Events]`.
public enum AdvancedSubStation {
  /// The text of a dialogue without commands in braces and without drawings (`{\p1}m 0 0 l 9
  /// 9{\p0}`), as lines.
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

  /// Whether commands begin a drawing (`\p1`, not `\pos(…)` or `\pbo0`) or end it; nil where they
  /// do neither.
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

  /// The lines of times with their texts.
  static func timed(_ lines: [Substring], onProblem: (Int, String) -> Void) -> [TimedLines] {
    var fields = (start: 1, end: 2, style: 3, text: 9)
    var result: [TimedLines] = []
    // What is to be read in the pictures.
    var signs: [TimedLines] = []
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
      let isSign = values.indices.contains(fields.style) && isOfSigns(values[fields.style])
      if isSign { signs.append(cue) } else { result.append(cue) }
    }
    // Of signs alone the file was made for them.
    guard !result.isEmpty else { return signs }
    if let first = signs.first {
      onProblem(
        first.line, "\(signs.count) cues of styles for signs are not said; they are left out")
    }
    return result
  }

  /// Whether a style's name says that it is of what is to be read in the pictures: `Signs`,
  /// `sign_2`, `Typesetting`.
  private static func isOfSigns(_ style: Substring) -> Bool {
    let words = style.lowercased().split { !$0.isLetter }
    return words.contains { ["sign", "signs", "typeset", "typesetting"].contains($0) }
  }
}

/// What is said from one moment to another, before tags are taken away.
struct TimedLines {
  /// Of the file, from 0.
  var line: Int
  var start: Double
  var end: Double
  /// Other times at which the same is said.
  var again: [(start: Double, end: Double)] = []
  var lines: [Substring]
}
