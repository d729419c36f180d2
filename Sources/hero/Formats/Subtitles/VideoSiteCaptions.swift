/// Captions as YouTube serves them and as speech recognizers save them.
///
/// XML has times in milliseconds (`<p t="1000" d="2000">`) or seconds (`<text start="1" dur="2">`).
/// JSON holds YouTube's events (`.json3`), Whisper's segments, whisper.cpp's transcription or
/// Transformers' chunks. Whisper also saves tables (`.tsv`).
enum VideoSiteCaptions {
  /// The maximum size of JSON in bytes; its tree takes many times as much memory.
  static let mostBytes = 16 << 20
  /// The maximum duration in seconds of a caption without an end.
  private static let longest = 10.0

  /// Returns the captions; nil if the text is of another kind.
  static func timed(_ text: String, onProblem: (Int, String) -> Void = { _, _ in }) -> [TimedLines]? {
    guard let first = text.utf8.first(where: { $0 > 0x20 }) else { return nil }
    switch first {
    case UInt8(ascii: "<"):
      guard let tag = MarkupScanner.firstTag(of: text), tag == "timedtext" || tag == "transcript" else {
        return nil
      }
      return markup(text)
    case UInt8(ascii: "{"), UInt8(ascii: "["):
      guard text.utf8.count <= mostBytes, let json = try? JSON.parse(text) else { return nil }
      return captions(json, onProblem: onProblem)
    default: return table(text, onProblem: onProblem)
    }
  }

  /// Reads Whisper's table: start and end in milliseconds, and the text.
  private static func table(_ text: String, onProblem: (Int, String) -> Void) -> [TimedLines]? {
    guard text.hasPrefix("start\tend\ttext") else { return nil }
    var result: [TimedLines] = []
    for (number, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
      .enumerated()
      .dropFirst() where !line.isBlank
    {
      let fields = line.split(separator: "\t", maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3, let start = Double(fields[0]), let end = Double(fields[1]),
        append(to: &result, line: number, start: start / 1000, length: (end - start) / 1000)
      else {
        onProblem(number, "the times cannot be read; the cue is left out")
        continue
      }
      result[result.count - 1].lines = [fields[2]]
    }
    return ended(result)
  }

  private static func markup(_ text: String) -> [TimedLines] {
    var scanner = MarkupScanner(text)
    var result: [TimedLines] = []
    var isInside = false
    func number(_ text: String?, _ unit: Double) -> Double? { text.flatMap(Double.init).map { $0 * unit } }
    while let piece = scanner.next() {
      switch piece {
      case .begin("p", let attributes, _), .begin("text", let attributes, _):
        let start = number(attributes["t"], 1e-3) ?? number(attributes["start"], 1)
        let length = number(attributes["d"], 1e-3) ?? number(attributes["dur"], 1)
        isInside = append(to: &result, line: scanner.line, start: start, length: length)
      case .end("p"), .end("text"): isInside = false
      case .begin("br", _, _) where isInside: result[result.count - 1].lines.append("")
      case .text(let text) where isInside:
        // References are escaped twice.
        result[result.count - 1].lines[result[result.count - 1].lines.count - 1] +=
          text.spaced().replacing("&amp;", with: "&")[...]
      default: continue
      }
    }
    return ended(result)
  }

  private static func captions(_ json: JSON, onProblem: (Int, String) -> Void) -> [TimedLines]? {
    var result: [TimedLines] = []
    var untimed = 0
    func add(_ start: Double?, _ end: Double?, _ length: Double?, _ text: String) {
      let length = length ?? start.flatMap { start in end.map { $0 - start } }
      guard append(to: &result, line: result.count, start: start, length: length) else {
        if !text[...].isBlank { untimed += 1 }
        return
      }
      result[result.count - 1].lines = text.utf8.split(separator: 0x0A).map { Substring($0) }
    }
    if let events = json["events"]?.array {
      for event in events {
        let text = (event["segs"]?.array ?? []).compactMap { $0["utf8"]?.string }.joined()
        add(
          event["tStartMs"]?.double.map { $0 / 1000 }, nil, event["dDurationMs"]?.double.map { $0 / 1000 },
          text)
      }
    } else if let segments = json["transcription"]?.array {
      for segment in segments {
        let times = ["from", "to"].map { segment["offsets"]?[$0]?.double.map { $0 / 1000 } }
        add(times[0], times[1], nil, segment["text"]?.string ?? "")
      }
    } else if let segments = json["segments"]?.array ?? json["chunks"]?.array ?? json.array {
      func number(_ json: JSON?) -> Double? { json?.double ?? json?.string.flatMap(Double.init) }
      for segment in segments {
        guard let text = segment["text"]?.string else { return nil }
        // Transformers' pipeline gives both times in one list.
        let times = segment["timestamp"]?.array ?? []
        add(
          number(segment["start"] ?? times.first), number(segment["end"] ?? times.dropFirst().first),
          number(segment["duration"] ?? segment["dur"]), text)
      }
    } else {
      return nil
    }
    if untimed > 0 { onProblem(0, "\(untimed) captions have no times; they are left out") }
    return ended(result)
  }

  /// - Returns: whether the times make sense; a missing length is infinite until `ended` sets it.
  private static func append(to result: inout [TimedLines], line: Int, start: Double?, length: Double?)
    -> Bool
  {
    guard let start, start.isFinite, abs(start) < 1e8 else { return false }
    let end = length.map { start + $0 } ?? .infinity
    guard !end.isNaN, length == nil || abs(end) < 1e8 else { return false }
    result.append(TimedLines(line: line, start: start, end: end, lines: [""]))
    return true
  }

  /// Returns the captions with text; those without an end last until the next one.
  private static func ended(_ captions: [TimedLines]) -> [TimedLines] {
    // An event without text sets the style of others.
    var result = captions.filter { $0.lines.contains { !$0.isBlank } }
    for place in result.indices where result[place].end == .infinity {
      let next = place + 1 < result.count ? result[place + 1].start : .infinity
      result[place].end = min(next, result[place].start + longest)
    }
    return result
  }
}
