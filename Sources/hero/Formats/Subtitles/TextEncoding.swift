import Foundation

/// Encodings of text by their names, as the C library knows them (`iconv`): `CP1251`, `SHIFT_JIS`,
/// `UTF-16LE` …
public enum TextEncoding {
  /// Whether the system knows an encoding of this name.
  public static func isKnown(_ name: String) -> Bool {
    guard let converter = open(name) else { return false }
    iconv_close(converter)
    return true
  }

  private static func open(_ name: String) -> iconv_t? {
    // A slash begins a wish of the library's own, such as to leave out what it cannot write.
    guard !name.isEmpty, !name.utf8.contains(UInt8(ascii: "/")), !name.utf8.contains(0) else { return nil }
    let converter = iconv_open("UTF-8", name)
    return converter == iconv_t(bitPattern: -1) ? nil : converter
  }

  /// Bytes of an encoding as text; nil where there is no such encoding. What cannot be read becomes
  /// U+FFFD, and is counted.
  static func decode(_ bytes: ArraySlice<UInt8>, as name: String) -> (text: String, bad: Int)? {
    guard let converter = open(name) else { return nil }
    defer { iconv_close(converter) }
    var input = Array(bytes)
    var output: [UInt8] = []
    output.reserveCapacity(input.count + input.count / 2)
    var bad = 0
    var piece = [CChar](repeating: 0, count: 1 << 16)
    input.withUnsafeMutableBytes { input in
      var from = input.baseAddress?.assumingMemoryBound(to: CChar.self)
      var left = input.count
      while left > 0 {
        let (code, made) = piece.withUnsafeMutableBufferPointer { piece -> (Int32, Int) in
          var to = piece.baseAddress
          var room = piece.count
          let result = iconv(converter, &from, &left, &to, &room)
          let code = result == -1 ? errno : 0
          return (code, piece.count - room)
        }
        output += piece.prefix(made).map { UInt8(bitPattern: $0) }
        guard code != 0, code != E2BIG else { continue }
        bad += 1
        output += [0xEF, 0xBF, 0xBD]
        from = from?.advanced(by: 1)
        left -= 1
      }
    }
    return (String(decoding: output, as: UTF8.self), bad)
  }

  // MARK: Guesses

  /// What a text that is not UTF-8 is in, as far as its bytes tell: Japanese and Cyrillic code
  /// pages.
  static func guess(_ bytes: [UInt8]) -> String? {
    let sample = bytes.prefix(1 << 18)
    return japanese(sample) ?? cyrillic(sample)
  }

  /// Kana are so frequent in Japanese, and their bytes so rare elsewhere, that they decide.
  private static func japanese(_ bytes: ArraySlice<UInt8>) -> String? {
    func kana(_ step: (UInt8, UInt8?) -> (length: Int, isKana: Bool)?) -> Double {
      var (kana, others, errors) = (0, 0, 0)
      var place = bytes.startIndex
      while place < bytes.endIndex {
        let byte = bytes[place]
        guard byte >= 0x80 else {
          place += 1
          continue
        }
        let next = place + 1 < bytes.endIndex ? bytes[place + 1] : nil
        if let (length, isKana) = step(byte, next) {
          if isKana { kana += 1 } else { others += 1 }
          place += length
        } else {
          errors += 1
          place += 1
        }
      }
      let all = kana + others
      return errors * 50 > all || all == 0 ? 0 : Double(kana) / Double(all)
    }
    let shift = kana { first, next in
      if (0xA1...0xDF).contains(first) { return (1, false) }
      guard (0x81...0x9F).contains(first) || (0xE0...0xFC).contains(first), let next,
        (0x40...0x7E).contains(next) || (0x80...0xFC).contains(next)
      else { return nil }
      return (2, first == 0x82 && next >= 0x9F && next <= 0xF1 || first == 0x83 && next <= 0x96)
    }
    let extended = kana { first, next in
      guard let next, (0xA1...0xFE).contains(next) else { return nil }
      if first == 0x8E { return (2, true) }
      guard (0xA1...0xFE).contains(first) else { return nil }
      return (2, first == 0xA4 && next <= 0xF3 || first == 0xA5 && next <= 0xF6)
    }
    guard max(shift, extended) > 0.2 else { return nil }
    return shift >= extended ? "CP932" : "EUC-JP"
  }

  /// How frequent the letters а … я are in Russian, in thousandths.
  private static let frequencies: [Double] = [
    80, 16, 45, 17, 30, 85, 9, 16, 74, 12, 35, 44, 32, 67, 110, 28, 47, 55, 63, 26, 3, 10, 5, 14, 7, 4, 1, 19,
    17, 3, 6,
    20,
  ]

  /// Letters stand together in words; of the code pages the one that makes the most usual letters,
  /// and none that is small before a capital.
  private static func cyrillic(_ bytes: ArraySlice<UInt8>) -> String? {
    var (letters, runs) = (0, 0)
    var isInside = false
    for byte in bytes {
      let isHigh = byte >= 0x80
      if isHigh { letters += 1 }
      if isHigh, !isInside { runs += 1 }
      isInside = isHigh
    }
    guard runs > 0, Double(letters) / Double(runs) >= 2.5 else { return nil }
    var best: (name: String, score: Double)?
    for name in ["CP1251", "KOI8-R", "CP866", "ISO-8859-5"] {
      guard let text = decode(bytes, as: name)?.text else { continue }
      var score = 0.0
      var wasSmall = false
      for scalar in text.unicodeScalars where scalar.value >= 0x80 || scalar.value <= 0x20 {
        let value = scalar.value
        let isSmall = (0x430...0x44F).contains(value)
        if isSmall {
          score += frequencies[Int(value - 0x430)]
        } else if (0x410...0x42F).contains(value) {
          score += wasSmall ? -60 : frequencies[Int(value - 0x410)]
        }
        wasSmall = isSmall
      }
      score /= Double(letters)
      if score > best?.score ?? 0 { best = (name, score) }
    }
    guard let best, best.score > 42 else { return nil }
    return best.name
  }
}
