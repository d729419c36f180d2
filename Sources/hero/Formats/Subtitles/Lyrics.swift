/// Lyrics with times (`.lrc`): `[01:02.50]text`, with several times for a line that comes again.
enum Lyrics {
  /// The maximum duration in seconds of a line, if the next one comes late or never.
  private static let longest = 10.0
  /// The maximum number of times of a line, more than any chorus needs.
  private static let mostTimes = 100

  static func isMeant(by lines: [Substring]) -> Bool {
    lines.prefix(200).contains { !times(of: $0).times.isEmpty }
  }

  /// Returns the times before a line, and its text.
  private static func times(of line: Substring) -> (times: [Double], text: Substring) {
    var (times, rest): ([Double], Substring.UTF8View) = ([], line.utf8.drop { $0 == 0x20 || $0 == 0x09 })
    while rest.first == UInt8(ascii: "["), let end = rest.firstIndex(of: UInt8(ascii: "]")),
      let time = CueTiming.seconds(Substring(rest[..<end].dropFirst()))
    {
      times.append(time)
      rest = rest[rest.index(after: end)...]
    }
    return (times, Substring(rest))
  }

  static func timed(_ lines: [Substring], onProblem: (Int, String) -> Void) -> [TimedLines] {
    var offset = 0.0
    var found: [(line: Int, time: Double)] = []
    var result: [TimedLines] = []
    for (number, line) in lines.enumerated() {
      if Substring(line.utf8.prefix(8)).lowercased() == "[offset:",
        let value = Double(
          Substring(line.utf8.dropFirst(8).prefix { $0 != UInt8(ascii: "]") && $0 != 0x20 })),
        value.isFinite, abs(value) < 1e7
      {
        offset = value / 1000
      }
      let (times, text) = times(of: line)
      guard !times.isEmpty else { continue }
      if times.count > mostTimes {
        onProblem(number, "it comes \(times.count) times; the first \(mostTimes) are taken")
      }
      for time in times.prefix(mostTimes) { found.append((result.count, max(0, time - offset))) }
      result.append(TimedLines(line: number, start: 0, end: 0, lines: [text]))
    }
    found.sort { ($0.time, $0.line) < ($1.time, $1.line) }
    // Go backwards: many lines may share a time, and each is shown until the next later time.
    var (next, later) = (Double.infinity, Double.infinity)
    for (line, time) in found.reversed() {
      if time < next { (next, later) = (time, next) }
      result[line].again.append((time, min(later, time + longest)))
    }
    for line in result.indices {
      if let first = result[line].again.popLast() {
        (result[line].start, result[line].end) = first
        result[line].again.reverse()
      }
    }
    return result
  }
}
