/// Subtitles with one cue per line: times in brackets, then text with `|` between its lines.
///
/// MicroDVD's `{0}{25}text` counts frames, and MPL2's `[0][25]text` counts tenths of a second.
enum BracketedSubtitles {
  /// The maximum duration in seconds of a cue without an end.
  private static let longest = 10.0
  /// The frame rates that a first cue `{1}{1}25` may state; other numbers are text.
  private static let rates = 3.0...240.0

  private struct Cue {
    var line: Int
    var start: Int
    /// The end; nil if the second pair of brackets is empty.
    var end: Int?
    var text: Substring
  }

  /// Returns whether most of a text's first lines are cues of either kind.
  static func isMeant(by lines: [Substring]) -> Bool {
    let first = lines.lazy.filter { !$0.utf8.allSatisfy { $0 <= 0x20 } }.prefix(50)
    let count = first.count { line in
      [Bracket.frames, .tenths].contains { $0.cue(line, 0) != nil }
    }
    return count > 0 && count * 2 > first.count
  }

  private enum Bracket {
    case frames, tenths

    /// Parses a line as a cue: two numbers in brackets, of which the second may be missing.
    func cue(_ line: Substring, _ place: Int) -> Cue? {
      let (open, close) = self == .frames ? ("{", "}") : ("[", "]")
      var rest = line.utf8.drop { $0 == 0x20 || $0 == 0x09 }
      func number() -> Int?? {
        guard rest.first == open.utf8.first else { return nil }
        let digits = rest.dropFirst().prefix { (0x30...0x39).contains($0) }
        guard digits.count <= 9, rest[digits.endIndex...].first == close.utf8.first else { return nil }
        rest = rest[rest.index(after: digits.endIndex)...]
        return .some(Int(Substring(digits)))
      }
      guard let first = number(), let start = first, let end = number() else { return nil }
      return Cue(line: place, start: start, end: end, text: Substring(rest))
    }
  }

  /// Returns the cues with their times.
  /// - Parameter frameRate: returns the video's frame rate, for files in frames whose first lines
  ///   state none.
  /// - Throws: `DataError` if the file counts frames and nothing tells their rate.
  static func timed(
    _ lines: [Substring], frameRate: () -> Double?, onProblem: (Int, String) -> Void
  ) throws -> [TimedLines] {
    let bracket = lines.contains { Bracket.frames.cue($0, 0) != nil } ? Bracket.frames : .tenths
    var cues = lines.enumerated().compactMap { bracket.cue($1, $0) }
    var unit = 0.1
    if bracket == .frames {
      let stated = cues.prefix(3).firstIndex { rate($0) != nil }
      guard let rate = stated.flatMap({ rate(cues[$0]) }) ?? frameRate(), rate > 0, rate.isFinite else {
        throw DataError(
          "counts frames (MicroDVD), and nothing says how many a second has",
          cure: "Write the video's frames a second as a first line, such as {1}{1}25, or convert it to .srt")
      }
      if let stated {
        cues.remove(at: stated)
      } else {
        onProblem(cues[0].line, "frames are counted at \(rate) a second, as the video has")
      }
      unit = 1 / rate
    }
    return cues.enumerated().map { number, cue in
      let start = Double(cue.start) * unit
      let next = number + 1 < cues.count ? Double(cues[number + 1].start) * unit : .infinity
      let end = cue.end.map { Double($0) * unit } ?? min(start + longest, max(next, start))
      let texts = cue.text.split(separator: "|", omittingEmptySubsequences: false).map { line in
        // A slash at the beginning marks a line of MPL2 as italic.
        bracket == .tenths && line.utf8.first == UInt8(ascii: "/") ? line.dropFirst() : line
      }
      return TimedLines(line: cue.line, start: start, end: end, lines: texts)
    }
  }

  /// Returns the frame rate that a first cue states in place of text.
  private static func rate(_ cue: Cue) -> Double? {
    guard cue.start <= 1, cue.end ?? 0 <= 1 else { return nil }
    let text = cue.text.utf8.map { $0 == UInt8(ascii: ",") ? UInt8(ascii: ".") : $0 }
    guard text.count < 20, let rate = Double(String(decoding: text, as: UTF8.self).filter { $0 != " " })
    else { return nil }
    return rates.contains(rate) ? rate : nil
  }
}
