/// The line of a cue that says when: `00:01:02,500 --> 00:01:04,000`, with settings after it in
/// WebVTT.
struct CueTiming: Equatable {
  var start: Double
  var end: Double

  /// Whether a line is meant to be one.
  static func isMeant(by line: Substring) -> Bool { line.utf8.contains(arrow: ()) }

  /// The times of such a line; nil where they cannot be read.
  init?(_ line: Substring) {
    guard let arrow = Self.arrow(in: line) else { return nil }
    let end = line[arrow.upperBound...].utf8.drop { $0 == 0x20 || $0 == 0x09 }.prefix {
      $0 != 0x20 && $0 != 0x09
    }
    guard let start = Self.seconds(line[..<arrow.lowerBound]), let stop = Self.seconds(Substring(end)) else {
      return nil
    }
    (self.start, self.end) = (start, stop)
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

  /// `[hours:]minutes:seconds[,thousandths]`, with a point or a comma.
  static func seconds(_ text: Substring) -> Double? {
    var fields: [Int] = [0]
    var digits = 0
    var fraction: (value: Int, scale: Double)?
    for byte in text.utf8 where byte != 0x20 && byte != 0x09 {
      switch byte {
      case 0x30...0x39:
        digits += 1
        guard digits <= 9 else { return nil }
        let digit = Int(byte) - 0x30
        if let (value, scale) = fraction {
          fraction = (value * 10 + digit, scale / 10)
        } else {
          fields[fields.count - 1] = fields[fields.count - 1] * 10 + digit
        }
      case UInt8(ascii: ":"):
        guard digits > 0, fraction == nil, fields.count < 3 else { return nil }
        fields.append(0)
        digits = 0
      case UInt8(ascii: ","), UInt8(ascii: "."):
        guard digits > 0, fraction == nil else { return nil }
        fraction = (0, 1)
        digits = 0
      default: return nil
      }
    }
    guard digits > 0 || fraction != nil, (2...3).contains(fields.count),
      fields.suffix(2).allSatisfy({ $0 < 60 }),
      fields[0] < 100_000
    else { return nil }
    let whole = fields.reduce(0) { $0 * 60 + $1 }
    return Double(whole) + (fraction.map { Double($0.value) * $0.scale } ?? 0)
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
