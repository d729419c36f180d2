/// The line of a cue with its times, such as `00:01:02,500 --> 00:01:04,000`.
///
/// WebVTT adds settings after the times. YouTube's `.sbv` and SubViewer write
/// `0:01:02.500,0:01:04.000`. Translation programs and spreadsheets leave spaces around colons,
/// other arrows (`->`, `→`, `--&gt;`) and wide colons. Times that programs have moved may be
/// negative.
struct CueTiming: Equatable {
  var start: Double
  var end: Double

  /// Returns whether a line is meant as a line of times.
  static func isMeant(by line: Substring) -> Bool {
    line.utf8.contains(arrow: ()) || CueTiming.mayBegin(line) && CueTiming(line) != nil
  }

  /// Returns whether a line begins with a digit or a minus, as few lines of text do.
  private static func mayBegin(_ line: Substring) -> Bool {
    guard let first = line.utf8.first(where: { $0 != 0x20 && $0 != 0x09 }) else { return false }
    // A no-break space may come first.
    return (0x30...0x39).contains(first) || first == UInt8(ascii: "-") || first == 0xC2
  }

  /// Parses the times of such a line; nil if they are malformed.
  init?(_ line: Substring) {
    // The rest of the line holds settings.
    var scanner = TimeScanner(line.utf8.prefix(200))
    guard let start = scanner.time(), let arrow = scanner.arrow(), let end = scanner.time() else {
      return nil
    }
    switch arrow {
    // `.sbv` has thousandths, and SubViewer has hundredths.
    case .comma:
      guard (2...3).contains(start.digits), end.digits == start.digits, scanner.isAtEnd else { return nil }
    case .arrow: guard scanner.isAtEnd || scanner.isAtSpace else { return nil }
    }
    (self.start, self.end) = (start.seconds, end.seconds)
  }

  /// Returns the range of the first `-->` in a text, with the last two if there are more dashes.
  static func arrow(in text: Substring) -> Range<Substring.Index>? {
    var dashes: [Substring.Index] = []
    for place in text.utf8.indices {
      let byte = text.utf8[place]
      if byte == UInt8(ascii: ">"), dashes.count >= 2 {
        return dashes[dashes.count - 2]..<text.utf8.index(after: place)
      }
      if byte == UInt8(ascii: "-") { dashes.append(place) } else { dashes.removeAll(keepingCapacity: true) }
    }
    return nil
  }

  /// Parses `[-][hours:]minutes:seconds[,thousandths]` into seconds.
  ///
  /// A point, a comma or, before three digits, a colon or semicolon begins the fraction.
  static func seconds(_ text: Substring) -> Double? {
    guard text.utf8.count <= 200 else { return nil }
    var scanner = TimeScanner(text.utf8)
    guard let time = scanner.time(), scanner.isAtEnd else { return nil }
    return time.seconds
  }
}

/// A scanner of times from the beginning of a line.
private struct TimeScanner {
  enum Arrow { case arrow, comma }

  private let bytes: [UInt8]
  private var place = 0

  init(_ line: some Sequence<UInt8>) { bytes = Self.plain(Array(line)) }

  /// Returns the bytes with no-break spaces and East Asian wide colons and commas as ASCII.
  private static func plain(_ bytes: [UInt8]) -> [UInt8] {
    guard bytes.contains(where: { $0 >= 0x80 }) else { return bytes }
    let others: [(wide: [UInt8], plain: UInt8)] = [
      ([0xC2, 0xA0], 0x20), ([0xEF, 0xBC, 0x9A], UInt8(ascii: ":")), ([0xEF, 0xBC, 0x8C], UInt8(ascii: ",")),
    ]
    var (result, place): ([UInt8], Int) = ([], 0)
    while place < bytes.count {
      if let other = others.first(where: { bytes[place...].starts(with: $0.wide) }) {
        result.append(other.plain)
        place += other.wide.count
      } else {
        result.append(bytes[place])
        place += 1
      }
    }
    return result
  }

  private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

  private mutating func skipSpace() { while place < bytes.count, Self.isSpace(bytes[place]) { place += 1 } }

  private mutating func take(_ text: String) -> Bool {
    guard bytes[place...].starts(with: text.utf8) else { return false }
    place += text.utf8.count
    return true
  }

  var isAtSpace: Bool { place < bytes.count && Self.isSpace(bytes[place]) }

  var isAtEnd: Bool { bytes[place...].allSatisfy { $0 <= 0x20 } }

  /// Reads dashes before `>`, an arrow as one character, or a comma.
  ///
  /// Word processors turn two dashes into a long one. A long dash beside other dashes is no arrow:
  /// ``SubtitleFile/subRip(_:)`` writes it for an arrow that is said.
  mutating func arrow() -> Arrow? {
    skipSpace()
    if take("→") { return .arrow }
    if take(",") { return .comma }
    var hasDash = take("–") || take("—")
    if !hasDash {
      while take("-") || take("=") {
        hasDash = true
        skipSpace()
      }
    }
    return hasDash && (take(">") || take("&gt;")) ? .arrow : nil
  }

  /// Reads a number and counts its digits; nil if there is none or more than nine.
  private mutating func number() -> (value: Int, digits: Int)? {
    var (value, digits) = (0, 0)
    while place < bytes.count, (0x30...0x39).contains(bytes[place]) {
      guard digits < 9 else { return nil }
      value = value * 10 + Int(bytes[place]) - 0x30
      (digits, place) = (digits + 1, place + 1)
    }
    return digits > 0 ? (value, digits) : nil
  }

  /// Reads the mark that continues a time.
  ///
  /// A digit must follow it, except after a point or a comma.
  private mutating func mark() -> UInt8? {
    let start = place
    skipSpace()
    guard place < bytes.count, [0x3A, 0x3B, 0x2C, 0x2E].contains(bytes[place]) else {
      place = start
      return nil
    }
    let found = bytes[place]
    let isFraction = found == 0x2C || found == 0x2E
    place += 1
    let after = place
    skipSpace()
    if place < bytes.count, (0x30...0x39).contains(bytes[place]) { return found }
    place = isFraction ? after : start
    return isFraction ? found : nil
  }

  /// Reads a time in seconds, and counts the digits of its fraction.
  mutating func time() -> (seconds: Double, digits: Int)? {
    skipSpace()
    let isNegative = take("-")
    guard let first = number() else { return nil }
    var fields = [first.value]
    var fraction = (value: 0.0, digits: 0)
    while let mark = mark() {
      let isFraction = mark == 0x2C || mark == 0x2E
      guard let next = number() else {
        guard isFraction else { return nil }
        break
      }
      guard isFraction || mark == 0x3B || fields.count == 3 else {
        fields.append(next.value)
        continue
      }
      // Two digits after a colon or a semicolon would be frames.
      guard isFraction || next.digits == 3 else { return nil }
      var scale = 1.0
      for _ in 0..<next.digits { scale /= 10 }
      fraction = (Double(next.value) * scale, next.digits)
      break
    }
    guard (2...3).contains(fields.count), fields.suffix(2).allSatisfy({ $0 < 60 }), fields[0] < 100_000 else {
      return nil
    }
    let seconds = Double(fields.reduce(0) { $0 * 60 + $1 }) + fraction.value
    return (isNegative && seconds > 0 ? -seconds : seconds, fraction.digits)
  }
}

extension Substring.UTF8View {
  /// Returns whether the text contains `-->`.
  fileprivate func contains(arrow: Void) -> Bool {
    var dashes = 0
    for byte in self {
      if byte == UInt8(ascii: ">"), dashes >= 2 { return true }
      dashes = byte == UInt8(ascii: "-") ? dashes + 1 : 0
    }
    return false
  }
}
