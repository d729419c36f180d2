/// The division of SubRip and WebVTT into cues.
extension SubtitleFile {
  /// A cue's line of times and its lines of text.
  struct Block {
    var line: Int
    var text: Range<Int>
    /// The number of seconds by which its times must be moved.
    var shift = 0.0
  }

  /// Returns where a segment's times begin on the clock of its stream, in seconds.
  ///
  /// A header states it: `X-TIMESTAMP-MAP=MPEGTS:900000,LOCAL:00:00:00.000`. Source: RFC 8216,
  /// section 3.5.
  private static func origin(_ line: Substring) -> Double? {
    guard line.hasPrefix("X-TIMESTAMP-MAP=") else { return nil }
    var (clock, local): (Double?, Double?)
    for field in line.utf8.prefix(200).dropFirst(16).split(separator: UInt8(ascii: ",")) {
      guard let colon = field.firstIndex(of: UInt8(ascii: ":")) else { continue }
      let value = Substring(
        field[field.index(after: colon)...].filter { $0 > 0x20 }.map { Character(Unicode.Scalar($0)) })
      if field.starts(with: "MPEGTS".utf8) { clock = Double(value).map { $0 / 90_000 } }
      if field.starts(with: "LOCAL".utf8) { local = CueTiming.seconds(value) }
    }
    guard let clock, let local, abs(clock) < mostSeconds else { return nil }
    return clock - local
  }

  static func isHeader(_ line: Substring) -> Bool {
    line.hasPrefix("WEBVTT") && line.utf8.dropFirst(6).first.map { $0 == 0x20 || $0 == 0x09 } ?? true
  }

  /// Returns whether a line begins a block of WebVTT that is not a cue.
  private static func beginsNote(_ line: Substring) -> Bool {
    ["NOTE", "STYLE", "REGION"].contains(Substring(line.utf8.prefix { $0 != 0x20 && $0 != 0x09 }))
  }

  /// Returns whether lines are WebVTT that lost its first line.
  ///
  /// All its times have points. It has notes, styles, a header's keys or names of most cues, which
  /// SubRip would take for text.
  static func isWebVTTWithoutHeader(_ lines: [Substring]) -> Bool {
    let times = lines.indices.filter { CueTiming.isMeant(by: lines[$0]) }
    guard let first = times.first,
      times.allSatisfy({ time in
        let begin = lines[time].prefix { $0 != "-" && $0 != "–" && $0 != "—" && $0 != "→" }
        return begin.contains(".") && !begin.contains(",")
      })
    else { return false }
    func followsBlank(_ place: Int) -> Bool { place == 0 || isBlank(lines[place - 1]) }
    if lines[..<first].contains(where: { $0.hasPrefix("Kind:") || $0.hasPrefix("Language:") }) { return true }
    if lines.indices.contains(where: { followsBlank($0) && beginsNote(lines[$0]) }) { return true }
    let names = times.count { time in
      time > 0 && followsBlank(time - 1) && !isBlank(lines[time - 1]) && !isNumber(lines[time - 1])
    }
    return names * 2 > times.count
  }

  private static func isBlank(_ line: Substring) -> Bool { line.utf8.allSatisfy { $0 <= 0x20 } }

  private static func isNumber(_ line: Substring) -> Bool {
    let bytes = line.utf8.filter { $0 > 0x20 }
    return !bytes.isEmpty && bytes.allSatisfy { (0x30...0x39).contains($0) }
  }

  /// Returns WebVTT's cues, each from its line of times to the next one.
  ///
  /// It skips the header, comments, styles and regions, and also the names of cues. In the
  /// specification a blank line ends a cue. But automatic captions have blank lines within cues,
  /// and text that follows a blank line belongs to nothing else.
  static func webVTT(_ lines: [Substring]) -> [Block] {
    var blocks: [Block] = []
    var place = lines.firstIndex { isBlank($0) || CueTiming.isMeant(by: $0) } ?? lines.count
    // Joined segments have clocks of their own; all times count from the first one's.
    var (first, shift): (Double?, Double) = (nil, 0)
    func readHeader(_ range: Range<Int>) {
      guard let origin = lines[range].lazy.compactMap(origin).first else { return }
      shift = origin - (first ?? origin)
      first = first ?? origin
    }
    readHeader(0..<place)
    // The current cue, up to its last line with text.
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
        cue = Block(line: place, text: place + 1..<place + 1, shift: shift)
      } else if isAfterBlank, beginsNote(line) {
        finish()
        place = lines[place...].firstIndex(where: isBlank) ?? lines.count
        continue
      } else if isAfterBlank, isHeader(line) {
        // A second header begins a segment that was joined to the first.
        finish()
        let start = place
        place = lines[place...].firstIndex { isBlank($0) || CueTiming.isMeant(by: $0) } ?? lines.count
        readHeader(start..<place)
        continue
      } else if let open = cue, !isBlank(line) {
        let isName =
          isAfterBlank && place + 1 < lines.count && CueTiming.isMeant(by: lines[place + 1])
          && (place - 1 > open.line || isNumber(line))
        if !isName { cue?.text = open.text.lowerBound..<place + 1 }
      }
      place += 1
    }
    finish()
    return blocks
  }

  /// Returns SubRip's cues, each from its line of times to the next one.
  ///
  /// If most cues have numbers, the number before the next line of times is left out. If the first
  /// cue's number is apart from its times, as in files with doubled line ends, so are the others.
  static func subRip(_ lines: [Substring]) -> [Block] {
    let times = lines.indices.filter { CueTiming.isMeant(by: lines[$0]) }
    guard let first = times.first else { return [] }
    /// Returns the last line with text before a line of times.
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
      guard place + 1 < times.count else { return Block(line: line, text: line + 1..<lines.count) }
      guard isNumbered, var end = numbers[place + 1] else {
        return Block(line: line, text: line + 1..<times[place + 1])
      }
      // The number is there twice, with a blank line between.
      if let again = before(end, from: line + 1), again < end - 1, again > line + 1,
        isBlank(lines[again - 1]), isNumber(lines[again]), lines[again].elementsEqual(lines[end])
      {
        end = again
      }
      return Block(line: line, text: line + 1..<end)
    }
  }
}
