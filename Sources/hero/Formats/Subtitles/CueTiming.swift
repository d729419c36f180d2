/// The line of a cue that says when: `00:01:02,500 --> 00:01:04,000`, with settings after it in
/// WebVTT, or `0:01:02.500,0:01:04.000` of YouTube's `.sbv` and SubViewer.
///
/// Translation programs and spreadsheets leave such lines with spaces around colons, with other
/// arrows (`->`, `→`, `--&gt;`) and with wide colons; times that programs have moved may be
/// negative.
struct CueTiming: Equatable {
  var start: Double
  var end: Double

  /// Whether a line is meant to be one.
  static func isMeant(by line: Substring) -> Bool {
    line.utf8.contains(arrow: ()) || CueTiming.mayBegin(line) && CueTiming(line) != nil
  }

  /// Whether a line begins with a digit or a minus, which few that are said do.
  private static func mayBegin(_ line: Substring) -> Bool {
    guard let first = line.utf8.first(where: { $0 != 0x20 && $0 != 0x09 }) else { return false }
    // A no-break space may come first.
    return (0x30...0x39).contains(first) || first == UInt8(ascii: "-") || first == 0xC2
  }

  /// The times of such a line; nil where they cannot be read.
  init?(_ line: Substring) {
    // Beyond are settings.
    var scanner = TimeScanner(line.utf8.prefix(200))
    guard let start = scanner.time(), let arrow = scanner.arrow(), let end = scanner.time() else {
      return nil
    }
    switch arrow {
    // Thousandths in `.sbv`, hundredths in SubViewer.
    case .comma:
      guard (2...3).contains(start.digits), end.digits == start.digits, scanner.isAtEnd else { return nil }
    case .arrow: guard scanner.isAtEnd || scanner.isAtSpace else { return nil }
    }
    (self.start, self.end) = (start.seconds, end.seconds)
  }

  /// The first `-->` of a text: of several dashes the last two.
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

  /// `[-][hours:]minutes:seconds[,thousandths]`, with a point, a comma or, before three digits, a
  /// colon or semicolon.
  static func seconds(_ text: Substring) -> Double? {
    guard text.utf8.count <= 200 else { return nil }
    var scanner = TimeScanner(text.utf8)
    guard let time = scanner.time(), scanner.isAtEnd else { return nil }
    return time.seconds
  }
}

/// Reads times from the beginning of a line.
private struct TimeScanner {
  enum Arrow { case arrow, comma }

  private let bytes: [UInt8]
  private var place = 0

  init(_ line: some Sequence<UInt8>) { bytes = Self.plain(Array(line)) }

  /// With no-break spaces and the wide colon and comma of East Asian keyboards as ASCII's.
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

  /// Dashes before `>`, an arrow as one letter, or a comma. A long dash is what programs for
  /// letters make of two; beside others it stands in what ``SubtitleFile/subRip(_:)`` writes for an
  /// arrow that is said.
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

  /// A number's digits, at most nine; nil where there is none, or it is longer.
  private mutating func number() -> (value: Int, digits: Int)? {
    var (value, digits) = (0, 0)
    while place < bytes.count, (0x30...0x39).contains(bytes[place]) {
      guard digits < 9 else { return nil }
      value = value * 10 + Int(bytes[place]) - 0x30
      (digits, place) = (digits + 1, place + 1)
    }
    return digits > 0 ? (value, digits) : nil
  }

  /// The mark that goes on with a time, with a digit after it or, for a point and a comma, without.
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

  /// A time, and how many digits its fraction has.
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
      // After a colon or a semicolon two digits would be frames.
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
  /// Whether `-->` is in it.
  fileprivate func contains(arrow: Void) -> Bool {
    var dashes = 0
    for byte in self {
      if byte == UInt8(ascii: ">"), dashes >= 2 { return true }
      dashes = byte == UInt8(ascii: "-") ? dashes + 1 : 0
    }
    return false
  }
}
