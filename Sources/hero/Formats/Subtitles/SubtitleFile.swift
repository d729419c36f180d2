import Foundation

/// Subtitles in the formats that players read.
///
/// The formats are SubRip (`.srt`), WebVTT (`.vtt`), SubStation Alpha (`.ass`, `.ssa`), Timed Text
/// (`.ttml`, `.dfxp`, `.itt`), SAMI (`.smi`), lyrics (`.lrc`), YouTube's (`.sbv`, `.srv1` to
/// `.srv3`, `.json3`), Whisper's (`.json`, `.tsv`), and MicroDVD, MPL2 and SubViewer (`.sub`,
/// `.mpl`, `.txt`).
///
/// It reads files as they occur, not only as they should be. Numbers and blank lines may be missing
/// or too many, times may have points or commas, and any usual encoding and line end works. It
/// reports and skips cues whose times cannot be read, or that end before they begin. Time grows
/// linearly with the length of the file, whatever its content.
public enum SubtitleFile {
  /// The extensions of files that this reads.
  public static let endings = [
    "srt", "vtt", "ass", "ssa", "ttml", "dfxp", "smi", "sami", "lrc", "sbv",
    "srv1", "srv2", "srv3", "json3", "sub", "mpl", "itt",
  ]
  /// The maximum size of a file in bytes, more than any film's subtitles have.
  private static let mostBytes = 64 << 20
  /// The maximum size of a cue's text in bytes; the model's attention grows with its square.
  private static let mostTextBytes = 4000
  /// The maximum length of a video in seconds, 1,000 hours.
  static let mostSeconds = 3_600_000.0

  /// The extensions that other files have too, so that the content decides.
  public static let sharedEndings: Set<String> = ["json", "tsv", "txt"]

  /// Returns whether a file with one of ``sharedEndings`` holds subtitles.
  ///
  /// These are captions of Whisper, whisper.cpp or YouTube in `.json`, Whisper's table in `.tsv`,
  /// and lines of MicroDVD or MPL2 in `.txt`.
  public static func isFound(in path: String) -> Bool {
    let ending = FileEndings.ending(of: path)
    guard sharedEndings.contains(ending), let size = try? PlainFile.size(path),
      size <= VideoSiteCaptions.mostBytes, let bytes = try? FileBytes.read(path: path)
    else { return false }
    let text = SubtitleText.decode(bytes).text
    if ending == "txt" { return BracketedSubtitles.isMeant(by: lines(of: text)) }
    return VideoSiteCaptions.timed(text).map { !$0.isEmpty } ?? false
  }

  /// Returns whether bytes begin a `.sub` of VobSub, which holds pictures of its text.
  static func isPictures(_ bytes: some Sequence<UInt8>) -> Bool { bytes.starts(with: [0, 0, 1, 0xBA]) }

  /// Returns whether a file is a `.sub` of VobSub.
  public static func isPictures(path: String) -> Bool {
    guard FileEndings.ending(of: path) == "sub", let file = FileHandle(forReadingAtPath: path) else {
      return false
    }
    defer { try? file.close() }
    return (try? file.read(upToCount: 4)).map(isPictures) ?? false
  }

  /// Reads the cues of a file in the order of their starts, with repeated lines of rolling captions
  /// once.
  /// - Parameters:
  ///   - encoding: the encoding of files whose first bytes mark neither UTF-8 nor UTF-16; nil
  ///     guesses it.
  ///   - frameRate: returns the video's frame rate; called if a file counts frames and states no
  ///     rate.
  ///   - onProblem: called with one line for each thing that was guessed or skipped.
  /// - Throws: `DataError` for a file that cannot be read, is far too long or has no cue at all.
  public static func read(
    path: String, encoding: String? = nil, frameRate: () -> Double? = { nil },
    onProblem: (String) -> Void = { _ in }
  ) throws -> [SubtitleCue] {
    guard try PlainFile.size(path) <= mostBytes else {
      throw DataError("has more than \(mostBytes >> 20) MB", file: path, cure: "Give the file that is meant")
    }
    let bytes = try FileBytes.read(path: path, limit: mostBytes)
    if let kind = FileKind(head: bytes) { throw DataError("no subtitles", file: path).naming(kind) }
    guard !isPictures(bytes) else {
      throw DataError(
        "holds pictures of its text (VobSub)", file: path,
        cure: "Convert it to .srt with a program that recognizes letters")
    }
    let (cues, hasTimes) = try DataError.locating(file: path) {
      try parts(bytes, encoding: encoding, frameRate: frameRate) { onProblem("\(path), \($0)") }
    }
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

  /// Returns cues as SubRip.
  ///
  /// An arrow in the text gets a long dash, because it would otherwise be read as a line of times.
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
        // A line of text that can be read as times gets a dash before it.
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

  /// Parses the cues in a file's bytes; none if it counts frames and nothing tells their rate.
  public static func parse(
    _ bytes: [UInt8], encoding: String? = nil, frameRate: Double? = nil,
    onProblem: (String) -> Void = { _ in }
  ) -> [SubtitleCue] {
    do {
      return try parts(bytes, encoding: encoding, frameRate: { frameRate }, onProblem: onProblem).cues
    } catch {
      onProblem("whole file: \(error)")
      return []
    }
  }

  /// - Returns: the cues, and whether anything has times, even without text.
  private static func parts(
    _ bytes: [UInt8], encoding: String?, frameRate: () -> Double?, onProblem: (String) -> Void
  ) throws -> (cues: [SubtitleCue], hasTimes: Bool) {
    let (text, note) = SubtitleText.decode(bytes, encoding: encoding)
    if let note { onProblem("whole file: \(note)") }
    var problems: [(line: Int, what: String)] = []
    let timed = try timed(text, frameRate: frameRate) { problems.append(($0, $1)) }
    var cues: [SubtitleCue] = []
    for part in timed {
      guard part.end > part.start else {
        problems.append(
          (part.line, "it ends at \(part.end) s, not after its start at \(part.start) s; the cue is left out")
        )
        continue
      }
      // The text is stripped once, however often it is said.
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
    // Problems are reported in the order of the file.
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

  /// Detects the format from the content, because names lie, and returns the text's cues.
  private static func timed(
    _ text: String, frameRate: () -> Double?, onProblem: (Int, String) -> Void
  ) throws -> [TimedLines] {
    if TimedText.isMeant(by: text) { return TimedText.timed(text, onProblem: onProblem) }
    if let cues = VideoSiteCaptions.timed(text, onProblem: onProblem) { return cues }
    if SAMI.isMeant(by: text) { return SAMI.timed(text, onProblem: onProblem) }
    let lines = self.lines(of: text)
    let isWebVTT = lines.first.map(isHeader) ?? false || isWebVTTWithoutHeader(lines)
    if !isWebVTT, AdvancedSubStation.isMeant(by: lines) {
      return AdvancedSubStation.timed(lines, onProblem: onProblem)
    }
    let blocks = isWebVTT ? webVTT(lines) : subRip(lines)
    if blocks.isEmpty, BracketedSubtitles.isMeant(by: lines) {
      return try BracketedSubtitles.timed(lines, frameRate: frameRate, onProblem: onProblem)
    }
    if blocks.isEmpty, Lyrics.isMeant(by: lines) { return Lyrics.timed(lines, onProblem: onProblem) }
    return blocks.compactMap { block in
      guard let timing = CueTiming(lines[block.line]) else {
        onProblem(block.line, "the times cannot be read; the cue is left out")
        return nil
      }
      return TimedLines(
        line: block.line, start: timing.start + block.shift, end: timing.end + block.shift,
        lines: Array(lines[block.text]))
    }
  }

  /// Splits a text into lines, which end with a line feed, a carriage return or both.
  ///
  /// Copying between systems may leave several carriage returns before a line feed.
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

  /// Returns a cue's text without tags and blank lines, up to the maximum size.
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
}

extension SubtitleCue {
  /// Whether it names a thumbnail, which players show above their time line:
  /// `sprite.jpg#xywh=0,0,160,90`.
  fileprivate var isPicture: Bool {
    lines.allSatisfy {
      !$0.contains(" ") && $0.wholeMatch(of: /.+\.(jpe?g|png|webp)(#xywh=[0-9,.]+)?/) != nil
    }
  }
}
