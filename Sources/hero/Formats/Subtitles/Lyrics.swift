/// Lines of songs with their times, `.lrc`: `[01:02.50]text`, with several times for a line that comes again.
enum Lyrics {
  /// The most seconds that a line is shown where the next one comes late or never.
  private static let longest = 10.0

  static func isMeant(by lines: [Substring]) -> Bool {
    lines.prefix(200).contains { !times(of: $0).times.isEmpty }
  }

  /// The times before a line, and its text.
  private static func times(of line: Substring) -> (times: [Double], text: Substring) {
    var (times, rest): ([Double], Substring) = ([], line.drop { $0 == " " || $0 == "\t" })
    while rest.utf8.first == UInt8(ascii: "["), let end = rest.utf8.firstIndex(of: UInt8(ascii: "]")),
      let time = CueTiming.seconds(rest.dropFirst()[..<end])
    {
      times.append(time)
      rest = rest[rest.utf8.index(after: end)...]
    }
    return (times, rest)
  }

  static func timed(_ lines: [Substring]) -> [TimedLines] {
    var offset = 0.0
    var found: [(line: Int, time: Double, text: Substring)] = []
    for (number, line) in lines.enumerated() {
      if line.lowercased().hasPrefix("[offset:"),
        let value = Double(line.dropFirst(8).prefix { $0 != "]" && $0 != " " }),
        value.isFinite, abs(value) < 1e7
      {
        offset = value / 1000
      }
      let (times, text) = times(of: line)
      for time in times { found.append((number, max(0, time - offset), text)) }
    }
    found.sort { ($0.time, $0.line) < ($1.time, $1.line) }
    // From the back, since many lines may share a time and each is shown until the next later one.
    var (next, later) = (Double.infinity, Double.infinity)
    let timed = found.reversed().map { this in
      if this.time < next { (next, later) = (this.time, next) }
      return TimedLines(
        line: this.line, start: this.time, end: min(later, this.time + longest), lines: [this.text])
    }
    return timed.reversed()
  }
}
