/// Subtitles as players have them: SubRip (`.srt`) and WebVTT (`.vtt`).
///
/// Both are read as they are found, not only as they should be: numbers and blank lines may be missing or too many, times may
/// have points or commas, any of the usual encodings and line ends. Cues whose times cannot be read, or that end before they
/// begin, are left out and told. Time grows with the length of the file, whatever is in it.
public enum SubtitleFile {
  /// Endings of names of files that this reads.
  public static let endings = ["srt", "vtt"]
  /// No film's subtitles have so many bytes.
  private static let mostBytes = 64 << 20
  /// Nor a cue so much text; the model's attention grows with its square.
  private static let mostTextBytes = 4000

  /// The cues of a file in the order of their starts, lines that captions repeat while they roll once.
  /// - Parameter onProblem: called with one line for each thing that was guessed or left out.
  /// - Throws: `DataError` for a file that cannot be read, is far too long or has no cue at all.
  public static func read(path: String, onProblem: (String) -> Void = { _ in }) throws -> [SubtitleCue] {
    let bytes = try FileBytes.read(path: path, limit: mostBytes)
    let cues = parse(bytes) { onProblem("\(path), \($0)") }
    guard !cues.isEmpty || bytes.allSatisfy({ $0 <= 0x20 }) else {
      throw DataError(
        "no cue in it can be read", file: path, cure: "Give subtitles in SubRip (.srt) or WebVTT (.vtt)")
    }
    return cues
  }

  /// Cues as SubRip. An arrow in what is said is written with a dash of its own, or it would be read as a time.
  public static func subRip(_ cues: [SubtitleCue]) -> String {
    func clock(_ seconds: Double) -> String {
      let thousandths = Int((max(0, min(seconds, 3e8)) * 1000).rounded())
      func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
      let rest = String(thousandths % 1000 + 1000).dropFirst()
      return
        "\(two(thousandths / 3_600_000)):\(two(thousandths / 60_000 % 60)):\(two(thousandths / 1000 % 60)),\(rest)"
    }
    func said(_ cue: SubtitleCue) -> String {
      cue.lines.joined(separator: "\n").replacing("-->", with: "-–>")
    }
    return cues.enumerated().map { number, cue in
      "\(number + 1)\n\(clock(cue.start)) --> \(clock(cue.end))\n\(said(cue))\n"
    }.joined(separator: "\n")
  }

  /// The same of a file's bytes.
  public static func parse(_ bytes: [UInt8], onProblem: (String) -> Void = { _ in }) -> [SubtitleCue] {
    let (text, guess) = SubtitleText.decode(bytes)
    if let guess { onProblem("whole file: it is not UTF-8 and is read as \(guess)") }
    let lines = self.lines(of: text)
    let isWebVTT = lines.first.map(isHeader) ?? false
    let blocks = isWebVTT ? webVTT(lines) : subRip(lines)
    var cues: [SubtitleCue] = []
    for block in blocks {
      let place = "line \(block.line + 1)"
      guard let timing = CueTiming(lines[block.line]) else {
        onProblem("\(place): the times cannot be read; the cue is left out")
        continue
      }
      guard timing.end > timing.start else {
        onProblem(
          "\(place): it ends at \(timing.end) s, not after its start at \(timing.start) s; the cue is left out"
        )
        continue
      }
      let said = self.said(lines[block.text]) {
        onProblem("\(place): it has more than \(mostTextBytes) bytes of text; the rest is left out")
      }
      if !said.isEmpty { cues.append(SubtitleCue(start: timing.start, end: timing.end, lines: said)) }
    }
    return cues.inOrder(mostBytes: mostTextBytes) {
      onProblem(
        "at \($0.start) s: cues of the same times have more than \(mostTextBytes) bytes of text; the rest is left out"
      )
    }
  }

  /// Lines end with a line feed, a carriage return or both.
  private static func lines(of text: String) -> [Substring] {
    var lines: [Substring] = []
    let bytes = text.utf8
    var (start, place) = (bytes.startIndex, bytes.startIndex)
    while place < bytes.endIndex {
      let byte = bytes[place]
      let next = bytes.index(after: place)
      if byte == 0x0A || byte == 0x0D {
        lines.append(text[start..<place])
        start = byte == 0x0D && next < bytes.endIndex && bytes[next] == 0x0A ? bytes.index(after: next) : next
        place = start
      } else {
        place = next
      }
    }
    lines.append(text[start...])
    return lines
  }

  /// A cue's text without tags and blank lines, as much as anybody can say.
  private static func said(_ lines: ArraySlice<Substring>, onCut: () -> Void) -> [String] {
    var said: [String] = []
    var left = mostTextBytes
    for line in lines {
      let text = CueText.stripped(line)
      guard !text.isEmpty else { continue }
      guard text.utf8.count <= left else {
        onCut()
        break
      }
      left -= text.utf8.count
      said.append(text)
    }
    return said
  }

  /// A cue's line of times and its lines of text.
  private typealias Block = (line: Int, text: Range<Int>)

  private static func isHeader(_ line: Substring) -> Bool {
    line.hasPrefix("WEBVTT") && line.dropFirst(6).first.map { $0 == " " || $0 == "\t" } ?? true
  }

  private static func isBlank(_ line: Substring) -> Bool { line.utf8.allSatisfy { $0 <= 0x20 } }

  private static func isNumber(_ line: Substring) -> Bool {
    let bytes = line.utf8.filter { $0 > 0x20 }
    return !bytes.isEmpty && bytes.allSatisfy { (0x30...0x39).contains($0) }
  }

  /// Blocks between blank lines: the header, comments, styles and regions are passed over, and so are names of cues.
  private static func webVTT(_ lines: [Substring]) -> [Block] {
    var blocks: [Block] = []
    var place = lines.firstIndex(where: isBlank) ?? lines.count
    while place < lines.count {
      guard !isBlank(lines[place]) else {
        place += 1
        continue
      }
      let end = lines[place...].firstIndex(where: isBlank) ?? lines.count
      let name = lines[place].prefix { $0 != " " && $0 != "\t" }
      let isCue = !["NOTE", "STYLE", "REGION"].contains(name) || CueTiming.isMeant(by: lines[place])
      if isCue {
        // A line of times ends the cue before it, also without a blank line between them.
        let times = (place..<end).filter { CueTiming.isMeant(by: lines[$0]) }
        for (number, line) in times.enumerated() {
          blocks.append((line, line + 1..<(number + 1 < times.count ? times[number + 1] : end)))
        }
      }
      place = end
    }
    return blocks
  }

  /// From one line of times to the next, less the number before it where cues have numbers.
  private static func subRip(_ lines: [Substring]) -> [Block] {
    let times = lines.indices.filter { CueTiming.isMeant(by: lines[$0]) }
    let isNumbered = times.first.map { $0 > 0 && isNumber(lines[$0 - 1]) } ?? false
    return times.enumerated().map { number, line in
      guard number + 1 < times.count else { return (line, line + 1..<lines.count) }
      let next = times[number + 1]
      let hasNumber = isNumbered && next - 1 > line && isNumber(lines[next - 1])
      return (line, line + 1..<(hasNumber ? next - 1 : next))
    }
  }
}
