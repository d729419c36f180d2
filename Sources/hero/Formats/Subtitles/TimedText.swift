/// Timed Text (`.ttml`, `.dfxp`): `<p begin="00:00:01.000" end="00:00:02.500">`.
///
/// The times of an element count from those of the element around it.
enum TimedText {
  static func isMeant(by text: String) -> Bool { MarkupScanner.firstTag(of: text) == "tt" }

  /// The rates that give units of times their meaning.
  private struct Rates {
    var frames = 30.0
    var ticks = 1.0

    init(_ attributes: [String: String]) {
      func rate(_ name: String) -> Double? {
        attributes[name].flatMap(Double.init).flatMap { $0 > 0 && $0 < 1e12 ? $0 : nil }
      }
      if let rate = rate("framerate") { (frames, ticks) = (rate, rate) }
      let parts =
        attributes["frameratemultiplier"]?.split { $0 == " " || $0 == ":" }.compactMap { Double($0) } ?? []
      if parts.count == 2, parts[0] > 0, parts[1] > 0 { frames *= parts[0] / parts[1] }
      if let rate = rate("tickrate") { ticks = rate }
    }

    /// Parses `hours:minutes:seconds[.fraction|:frames]`, or a number with a unit, into seconds.
    func seconds(_ text: String?) -> Double? {
      // A longer text is no time.
      guard let text, text.utf8.count < 100 else { return nil }
      return seconds(text.trimmingPrefix { $0 == " " })
    }

    private func seconds(_ text: Substring) -> Double? {
      let fields = text.split(separator: ":", omittingEmptySubsequences: false)
      if fields.count == 4, let whole = CueTiming.seconds(fields[0...2].joined(separator: ":")[...]),
        let frame = Double(fields[3]), frame >= 0, frame < 1e6
      {
        return whole + frame / frames
      }
      if fields.count > 1 { return CueTiming.seconds(text) }
      let number = text.prefix { $0.isNumber || $0 == "." }
      let units = ["h": 3600, "m": 60, "s": 1, "ms": 1e-3, "f": 1 / frames, "t": 1 / ticks]
      guard let value = Double(number), let unit = units[text[number.endIndex...].filter { $0 != " " }] else {
        return nil
      }
      let time = value * unit
      return time >= 0 && time < 1e8 ? time : nil
    }
  }

  private struct Element {
    var name: String
    var start: Double
    var end: Double
    /// The start of the next child, if children follow one another (`timeContainer="seq"`).
    var next: Double?
  }

  /// The elements whose content is about the text, and is not said.
  private static let notSaid: Set<String> = ["metadata", "title", "desc", "copyright"]

  static func timed(_ text: String, onProblem: (Int, String) -> Void) -> [TimedLines] {
    var scanner = MarkupScanner(text)
    var rates = Rates([:])
    var open: [Element] = []
    var cue: TimedLines?
    var result: [TimedLines] = []
    while let piece = scanner.next() {
      switch piece {
      case .begin("tt", let attributes, _): rates = Rates(attributes)
      case .begin("br", _, _): cue?.lines.append("")
      case .begin(let name, let attributes, let isEmpty):
        guard !isEmpty, open.count < 100 else { continue }
        let around = open.last ?? Element(name: "", start: 0, end: .infinity)
        let origin = around.next ?? around.start
        let start = origin + (rates.seconds(attributes["begin"]) ?? 0)
        let end =
          rates.seconds(attributes["end"]).map { origin + $0 } ?? rates.seconds(attributes["dur"]).map {
            start + $0
          }
          ?? around.end
        if around.next != nil, end < .infinity { open[open.count - 1].next = end }
        open.append(
          Element(
            name: name, start: start, end: min(end, around.end),
            next: attributes["timecontainer"] == "seq" ? start : nil))
        if name == "p" {
          let isTimed = end < .infinity
          cue = TimedLines(
            line: scanner.line, start: isTimed ? start : .infinity, end: isTimed ? min(end, around.end) : 0,
            lines: [""])
        } else if name == "span", let whole = cue, attributes["begin"] != nil, end < .infinity {
          // Words have times of their own, and the cue lasts as long as they do.
          cue?.start = min(whole.start, start)
          cue?.end = max(whole.end, end)
        }
      case .end(let name):
        guard let place = open.lastIndex(where: { $0.name == name }) else { continue }
        open.removeSubrange(place...)
        if name == "p", let done = cue {
          if done.start < .infinity {
            result.append(done)
          } else if done.lines.contains(where: { !$0.isBlank }) {
            onProblem(done.line, "the times cannot be read; the cue is left out")
          }
          cue = nil
        }
      case .text(let text):
        // A line feed in the file counts as a space.
        guard !open.contains(where: { notSaid.contains($0.name) }) else { continue }
        if let last = cue?.lines.indices.last { cue?.lines[last] += text.spaced()[...] }
      }
    }
    return result
  }
}
