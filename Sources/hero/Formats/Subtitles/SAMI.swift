/// SAMI (`.smi`): `<SYNC Start=1000><P Class=ENCC>text`, with times in milliseconds.
///
/// Each cue lasts until the next one of its language.
enum SAMI {
  static func isMeant(by text: String) -> Bool { MarkupScanner.firstTag(of: text) == "sami" }

  /// The duration in seconds of a cue that nothing follows.
  private static let longest = 10.0

  static func timed(_ text: String, onProblem: (Int, String) -> Void) -> [TimedLines] {
    var scanner = MarkupScanner(text)
    var classes: [String: [TimedLines]] = [:]
    var order: [String] = []
    var (time, language, isInside): (Double?, String, Bool) = (nil, "", false)
    while let piece = scanner.next() {
      switch piece {
      case .begin("sync", let attributes, _):
        time = attributes["start"].flatMap { Double($0.filter { $0 != "m" && $0 != "s" }) }
          .flatMap { $0 >= 0 && $0 < 1e11 ? $0 / 1000 : nil }
        if time == nil { onProblem(scanner.line, "the times cannot be read; the cue is left out") }
        isInside = false
      case .begin("p", let attributes, _):
        language = (attributes["class"] ?? "").lowercased()
        guard let time else { continue }
        if classes[language] == nil { order.append(language) }
        classes[language, default: []].append(
          TimedLines(line: scanner.line, start: time, end: time + longest, lines: [""]))
        isInside = true
      case .begin("br", _, _) where isInside: classes[language]?.append(line: "")
      case .text(let text) where isInside:
        classes[language]?.extend(by: text.spaced(entities: true)[...])
      case .end("body"), .end("sami"): isInside = false
      default: continue
      }
    }
    // If there are several languages, English is chosen, as it is for files.
    guard let chosen = order.first(where: { $0.hasPrefix("en") }) ?? order.first, let cues = classes[chosen]
    else {
      return []
    }
    let sorted = cues.sorted { ($0.start, $0.line) < ($1.start, $1.line) }
    return sorted.indices.map { place in
      var cue = sorted[place]
      if place + 1 < sorted.count, sorted[place + 1].start > cue.start {
        cue.end = sorted[place + 1].start
      }
      return cue
    }
  }
}

extension [TimedLines] {
  fileprivate mutating func append(line: Substring) { if !isEmpty { self[count - 1].lines.append(line) } }

  fileprivate mutating func extend(by text: Substring) {
    guard !isEmpty, let last = self[count - 1].lines.indices.last else { return }
    self[count - 1].lines[last] += text
  }
}
