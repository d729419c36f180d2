/// Subtitles as players have them: SubRip (`.srt`), WebVTT (`.vtt`), SubStation Alpha (`.ass`,
/// `.ssa`), Timed Text (`.ttml`, `.dfxp`), SAMI (`.smi`), lyrics (`.lrc`), and YouTube's (`.sbv`,
/// `.srv1` to `.srv3`, `.json3`).
///
/// Reads files as they occur, not only as they should be: numbers and blank lines may be missing or
/// too many, times may have points or commas, any of the usual encodings and line ends. Reports and
/// leaves out cues whose times cannot be read, or that end before they begin. Time grows linearly
/// with the length of the file, whatever its content.
public enum SubtitleFile {
  /// Endings of names of files that this reads.
  public static let endings = [
    "srt", "vtt", "ass", "ssa", "ttml", "dfxp", "smi", "sami", "lrc", "sbv",
    "srv1", "srv2", "srv3", "json3",
  ]
  /// No film's subtitles have so many bytes.
  private static let mostBytes = 64 << 20
  /// Nor a cue so much text; the model's attention grows with its square.
  private static let mostTextBytes = 4000
  /// Nor does a video last so many seconds, 1,000 hours.
  private static let mostSeconds = 3_600_000.0

  /// Whether a file whose name ends in `.json`, as those of annotations do, holds captions of
  /// Whisper, whisper.cpp or YouTube.
  public static func isJSON(path: String) -> Bool {
    guard FileEndings.ending(of: path) == "json", let size = try? PlainFile.size(path),
      size <= VideoSiteCaptions.mostBytes, let bytes = try? FileBytes.read(path: path)
    else { return false }
    return VideoSiteCaptions.timed(SubtitleText.decode(bytes).text).map { !$0.isEmpty } ?? false
  }

  /// The cues of a file in the order of their starts, lines that captions repeat while they roll
  /// once.
  /// - Parameters:
  ///   - encoding: of files that are not UTF-8 or UTF-16 by their first bytes; by default it is
  ///     guessed.
  ///   - onProblem: called with one line for each thing that was guessed or left out.
  /// - Throws: `DataError` for a file that cannot be read, is far too long or has no cue at all.
  public static func read(
    path: String, encoding: String? = nil, onProblem: (String) -> Void = { _ in }
  ) throws -> [SubtitleCue] {
    guard try PlainFile.size(path) <= mostBytes else {
      throw DataError("has more than \(mostBytes >> 20) MB", file: path, cure: "Give the file that is meant")
    }
    let bytes = try FileBytes.read(path: path, limit: mostBytes)
    if let kind = FileKind(head: bytes) { throw DataError("no subtitles", file: path).naming(kind) }
    let (cues, hasTimes) = parts(bytes, encoding: encoding) { onProblem("\(path), \($0)") }
    guard hasTimes || bytes.allSatisfy({ $0 <= 0x20 }) else {
      throw DataError(
        "no cue in it can be read", file: path,
        cure: "Give subtitles in one of the formats \(endings.map { "." + $0 }.joined(separator: ", "))")
    }
    guard cues.isEmpty || !cues.allSatisfy(\.isPicture) else {
      throw DataError(
        "names pictures of a video (thumbnails), not what is said", file: path,
        cure: "Give the file of its subtitles")
    }
    return cues
  }

  /// Cues as SubRip. An arrow in what is said is written with a dash of its own, or it would be
  /// read as a time.
  public static func subRip(_ cues: [SubtitleCue]) -> String {
    func clock(_ seconds: Double) -> String {
      let thousandths = Int((max(0, min(seconds, 3e8)) * 1000).rounded())
      func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
      let rest = String(thousandths % 1000 + 1000).dropFirst()
      return
        "\(two(thousandths / 3_600_000)):\(two(thousandths / 60_000 % 60)):\(two(thousandths / 1000 % 60)),\(rest)"
    }
    func said(_ cue: SubtitleCue) -> String {
      var said = ""
      for line in cue.lines {
        if !said.isEmpty { said += "\n" }
        var rest = line[...]
        // Times with another arrow, which are said.
        if CueTiming(rest) != nil { said += "– " }
        while let arrow = CueTiming.arrow(in: rest) {
          said += rest[..<arrow.lowerBound] + "-–>"
          rest = rest[arrow.upperBound...]
        }
        said += rest
      }
      return said
    }
    return cues.enumerated().map { number, cue in
      "\(number + 1)\n\(clock(cue.start)) --> \(clock(cue.end))\n\(said(cue))\n"
    }.joined(separator: "\n")
  }

  /// The same of a file's bytes.
  public static func parse(
    _ bytes: [UInt8], encoding: String? = nil, onProblem: (String) -> Void = { _ in }
  ) -> [SubtitleCue] {
    parts(bytes, encoding: encoding, onProblem: onProblem).cues
  }

  /// - Returns: the cues, and whether there is anything timed at all, be it without words.
  private static func parts(
    _ bytes: [UInt8], encoding: String?, onProblem: (String) -> Void
  ) -> (cues: [SubtitleCue], hasTimes: Bool) {
    let (text, note) = SubtitleText.decode(bytes, encoding: encoding)
    if let note { onProblem("whole file: \(note)") }
    var problems: [(line: Int, what: String)] = []
    let timed = timed(text) { problems.append(($0, $1)) }
    var cues: [SubtitleCue] = []
    for part in timed {
      guard part.end > part.start else {
        problems.append(
          (part.line, "it ends at \(part.end) s, not after its start at \(part.start) s; the cue is left out")
        )
        continue
      }
      // Once, however often it comes.
      let said = self.said(part.lines) {
        problems.append((part.line, "it has more than \(mostTextBytes) bytes of text; the rest is left out"))
      }
      guard !said.isEmpty else { continue }
      for (from, end) in [(part.start, part.end)] + part.again {
        guard end > 0 else {
          problems.append((part.line, "it ends at \(end) s, before the video begins; the cue is left out"))
          continue
        }
        if from < 0 { problems.append((part.line, "it begins at \(from) s and is taken from 0 s on")) }
        let start = max(0, from)
        guard end < mostSeconds else {
          problems.append((part.line, "it ends at \(end) s, which no video does; the cue is left out"))
          continue
        }
        cues.append(SubtitleCue(start: start, end: end, lines: said))
      }
    }
    // As they stand in the file.
    for problem in problems.sorted(by: { $0.line < $1.line }) {
      onProblem("line \(problem.line + 1): \(problem.what)")
    }
    let ordered = cues.inOrder(mostBytes: mostTextBytes) {
      onProblem(
        "at \($0.start) s: cues of the same times have more than \(mostTextBytes) bytes of text; the rest is left out"
      )
    }
    return (ordered, !timed.isEmpty)
  }

  /// The format follows from the content, since names lie.
  private static func timed(_ text: String, onProblem: (Int, String) -> Void) -> [TimedLines] {
    if TimedText.isMeant(by: text) { return TimedText.timed(text, onProblem: onProblem) }
    if let cues = VideoSiteCaptions.timed(text) { return cues }
    if SAMI.isMeant(by: text) { return SAMI.timed(text, onProblem: onProblem) }
    let lines = self.lines(of: text)
    let isWebVTT = lines.first.map(isHeader) ?? false
    if !isWebVTT, AdvancedSubStation.isMeant(by: lines) {
      return AdvancedSubStation.timed(lines, onProblem: onProblem)
    }
    let blocks = isWebVTT ? webVTT(lines) : subRip(lines)
    if blocks.isEmpty, Lyrics.isMeant(by: lines) { return Lyrics.timed(lines, onProblem: onProblem) }
    return blocks.compactMap { block in
      guard let timing = CueTiming(lines[block.line]) else {
        onProblem(block.line, "the times cannot be read; the cue is left out")
        return nil
      }
      return TimedLines(
        line: block.line, start: timing.start, end: timing.end, lines: Array(lines[block.text]))
    }
  }

  /// Lines end with a line feed, a carriage return or both; several carriage returns before a line
  /// feed are what copying between systems leaves.
  private static func lines(of text: String) -> [Substring] {
    var lines: [Substring] = []
    let bytes = text.utf8
    var (start, place) = (bytes.startIndex, bytes.startIndex)
    while place < bytes.endIndex {
      let next = bytes.index(after: place)
      switch bytes[place] {
      case 0x0A:
        lines.append(text[start..<place])
        (start, place) = (next, next)
      case 0x0D:
        lines.append(text[start..<place])
        var (end, count) = (next, 1)
        while end < bytes.endIndex, bytes[end] == 0x0D { (end, count) = (bytes.index(after: end), count + 1) }
        if end < bytes.endIndex, bytes[end] == 0x0A {
          end = bytes.index(after: end)
        } else {
          lines += repeatElement(text[end..<end], count: count - 1)
        }
        (start, place) = (end, end)
      default: place = next
      }
    }
    lines.append(text[start...])
    return lines
  }

  /// A cue's text without tags and blank lines, as much as anybody can say.
  private static func said(_ lines: [Substring], onCut: () -> Void) -> [String] {
    var said: [String] = []
    var left = mostTextBytes
    for line in lines {
      let text = CueText.stripped(line)
      guard !text.isEmpty else { continue }
      guard text.utf8.count <= left else {
        onCut()
        let bytes = Array(text.utf8)
        while left > 0, bytes[left] & 0xC0 == 0x80 { left -= 1 }
        if left > 0 { said.append(String(decoding: bytes[..<left], as: UTF8.self)) }
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
    line.hasPrefix("WEBVTT") && line.utf8.dropFirst(6).first.map { $0 == 0x20 || $0 == 0x09 } ?? true
  }

  private static func isBlank(_ line: Substring) -> Bool { line.utf8.allSatisfy { $0 <= 0x20 } }

  private static func isNumber(_ line: Substring) -> Bool {
    let bytes = line.utf8.filter { $0 > 0x20 }
    return !bytes.isEmpty && bytes.allSatisfy { (0x30...0x39).contains($0) }
  }

  /// Cues from their line of times to the next one: the header, comments, styles and regions are
  /// passed over, and so are names of cues.
  ///
  /// A blank line ends a cue in the specification. Automatic captions have blank lines within them,
  /// and text that follows a blank line belongs to nothing else.
  private static func webVTT(_ lines: [Substring]) -> [Block] {
    var blocks: [Block] = []
    var place = lines.firstIndex { isBlank($0) || CueTiming.isMeant(by: $0) } ?? lines.count
    // The cue under way, and the last of its lines with text.
    var cue: Block?
    func finish() {
      if let cue { blocks.append(cue) }
      cue = nil
    }
    while place < lines.count {
      let line = lines[place]
      let isAfterBlank = place == 0 || isBlank(lines[place - 1])
      if CueTiming.isMeant(by: line) {
        finish()
        cue = (place, place + 1..<place + 1)
      } else if isAfterBlank,
        ["NOTE", "STYLE", "REGION"].contains(Substring(line.utf8.prefix { $0 != 0x20 && $0 != 0x09 }))
      {
        finish()
        place = lines[place...].firstIndex(where: isBlank) ?? lines.count
        continue
      } else if isAfterBlank, isHeader(line) {
        // Segments that were joined.
        finish()
        place = lines[place...].firstIndex { isBlank($0) || CueTiming.isMeant(by: $0) } ?? lines.count
        continue
      } else if let open = cue, !isBlank(line) {
        let isName =
          isAfterBlank && place + 1 < lines.count && CueTiming.isMeant(by: lines[place + 1])
          && (place - 1 > open.line || isNumber(line))
        if !isName { cue = (open.line, open.text.lowerBound..<place + 1) }
      }
      place += 1
    }
    finish()
    return blocks
  }

  /// From one line of times to the next, less the number before it where most cues have numbers.
  ///
  /// Where the number of the first cue is apart from its times, as in files whose line ends were
  /// doubled, so are the others.
  private static func subRip(_ lines: [Substring]) -> [Block] {
    let times = lines.indices.filter { CueTiming.isMeant(by: lines[$0]) }
    guard let first = times.first else { return [] }
    /// The line with text before a line of times.
    func before(_ time: Int, from start: Int) -> Int? { lines[start..<time].lastIndex { !isBlank($0) } }
    let isApart = before(first, from: 0).map { $0 < first - 1 && isNumber(lines[$0]) } ?? false
    func number(of time: Int, from start: Int) -> Int? {
      guard let line = before(time, from: start), isApart || line == time - 1, isNumber(lines[line]) else {
        return nil
      }
      return line
    }
    let starts = [0] + times.map { $0 + 1 }
    let numbers = times.enumerated().map { number(of: $1, from: starts[$0]) }
    let isNumbered = numbers.count { $0 != nil } * 2 > times.count
    return times.enumerated().map { place, line in
      guard place + 1 < times.count else { return (line, line + 1..<lines.count) }
      guard isNumbered, var end = numbers[place + 1] else { return (line, line + 1..<times[place + 1]) }
      // A number that is there twice, with a blank line between.
      if let again = before(end, from: line + 1), again < end - 1, again > line + 1,
        isBlank(lines[again - 1]), isNumber(lines[again]), lines[again].elementsEqual(lines[end])
      {
        end = again
      }
      return (line, line + 1..<end)
    }
  }
}

extension SubtitleCue {
  /// Whether it names a picture of what is to be seen, as players show them above their time line:
  /// `sprite.jpg#xywh=0,0,160,90`.
  fileprivate var isPicture: Bool {
    lines.allSatisfy {
      !$0.contains(" ") && $0.wholeMatch(of: /.+\.(jpe?g|png|webp)(#xywh=[0-9,.]+)?/) != nil
    }
  }
}
