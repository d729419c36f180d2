import Foundation

/// Text encodings by the names that the C library's `iconv` knows: `CP1251`, `SHIFT_JIS`,
/// `UTF-16LE` …
public enum TextEncoding {
  /// Returns whether the system knows an encoding of this name.
  public static func isKnown(_ name: String) -> Bool {
    guard let converter = open(name) else { return false }
    iconv_close(converter)
    return true
  }

  private static func open(_ name: String) -> iconv_t? {
    // A slash begins an option of `iconv`, such as to skip what it cannot write.
    guard !name.isEmpty, !name.utf8.contains(UInt8(ascii: "/")), !name.utf8.contains(0) else { return nil }
    let converter = iconv_open("UTF-8", name)
    return converter == iconv_t(bitPattern: -1) ? nil : converter
  }

  /// Decodes bytes of an encoding; nil if there is no such encoding.
  ///
  /// Unreadable bytes become U+FFFD and are counted.
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

  /// Guesses the encoding of a text that is not UTF-8; nil if its bytes do not tell.
  ///
  /// It knows code pages of Japanese, Korean, Chinese, Arabic, Greek, Hebrew, Cyrillic, Central
  /// Europe, Turkey and the Baltic.
  static func guess(_ bytes: [UInt8]) -> String? {
    let sample = bytes.prefix(1 << 18)
    return japanese(sample) ?? chineseOrKorean(sample) ?? arabic(sample) ?? greekOrHebrew(sample)
      ?? cyrillic(sample) ?? latin(sample)
  }

  /// Detects Japanese by its kana, which are frequent and whose bytes are rare in other languages.
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

  /// Detects Korean and Chinese by pairs of bytes.
  ///
  /// Nearly all pairs of Korean begin with bytes of syllables. Most pairs of simplified Chinese
  /// begin with those of frequent characters. Half of the pairs of traditional Chinese end in
  /// ASCII's range. A text of single bytes breaks pairs.
  private static func chineseOrKorean(_ bytes: ArraySlice<UInt8>) -> String? {
    var (high, errors, korean, simplified, traditional, low) = (0, 0, 0, 0, 0, 0)
    var place = bytes.startIndex
    while place < bytes.endIndex {
      let first = bytes[place]
      place += 1
      guard first >= 0x80 else { continue }
      guard (0x81...0xFE).contains(first), place < bytes.endIndex, bytes[place] >= 0x40, bytes[place] != 0x7F,
        bytes[place] != 0xFF
      else {
        errors += 1
        continue
      }
      let second = bytes[place]
      place += 1
      // Punctuation is in the same rows of each encoding, so it tells nothing.
      guard !(0xA1...0xA3).contains(first) else { continue }
      high += 1
      if second < 0xA1 { low += 1 }
      if second >= 0xA1, (0xB0...0xC8).contains(first) { korean += 1 }
      if second >= 0xA1, (0xB0...0xD7).contains(first) { simplified += 1 }
      if (0xA4...0xC6).contains(first) { traditional += 1 }
    }
    guard high >= 4, errors * 50 <= high else { return nil }
    func share(_ count: Int) -> Double { Double(count) / Double(high) }
    if share(korean) > 0.95 { return "CP949" }
    if share(low) < 0.1, share(simplified) > 0.8 { return "GB18030" }
    if (0.1...0.75).contains(share(low)), share(simplified) < 0.7, share(traditional) > 0.9 {
      return "BIG5-HKSCS"
    }
    return nil
  }

  /// Detects Greek and Hebrew, and tells them from Cyrillic.
  ///
  /// Hebrew has no capitals, no letters in place of Cyrillic's last five, and many vavs and yods.
  /// Nearly half of Greek's letters are among seven, and some are accented vowels in place of
  /// Cyrillic's last capitals.
  private static func greekOrHebrew(_ bytes: ArraySlice<UInt8>) -> String? {
    var counts = [Int](repeating: 0, count: 256)
    // The letter ς only ends words.
    var (last, innerSigmas): (UInt8, Int) = (0, 0)
    for byte in bytes {
      counts[Int(byte)] += 1
      if last == 0xF2, byte >= 0xC0 { innerSigmas += 1 }
      last = byte
    }
    func sum(_ range: ClosedRange<Int>) -> Int { counts[range].reduce(0, +) }
    let letters = sum(0xC0...0xFF)
    guard letters >= 12 else { return nil }
    let hebrew = sum(0xE0...0xFA)
    if letters >= 60, hebrew == letters, (counts[0xE5] + counts[0xE9]) * 20 > letters * 3 {
      return "CP1255"
    }
    if isGreekInCapitals(counts, letters: letters, bytes) { return "CP1253" }
    // α, ε, η, ι, ο, τ, ς and the vowels with accents ά, έ, ή, ί, ό, ύ, ώ.
    let frequent = [0xE1, 0xE5, 0xE7, 0xE9, 0xEF, 0xF4, 0xF2].reduce(0) { $0 + counts[$1] }
    let accented = [0xDC, 0xDD, 0xDE, 0xDF, 0xFC, 0xFD, 0xFE].reduce(0) { $0 + counts[$1] }
    guard counts[0xF2] > 0, innerSigmas == 0, frequent * 10 > letters * 4, accented * 20 > letters,
      accented * 4 < letters, counts[0xFF] == 0,
      counts[0xDA] + counts[0xDB] + counts[0xD8] == 0
    else { return nil }
    return "CP1253"
  }

  /// Returns whether a text is Greek in capitals, which stand where KOI8-R has small letters.
  ///
  /// Seven frequent capitals stand where KOI8-R has а, г, е, и, о, с and т. None stands where it
  /// has р, and nearly none where it has н. None stands where Windows-1251 has А.
  private static func isGreekInCapitals(_ counts: [Int], letters: Int, _ bytes: ArraySlice<UInt8>) -> Bool {
    func sum(_ range: ClosedRange<Int>) -> Int { counts[range].reduce(0, +) }
    let frequent = [0xC1, 0xC5, 0xC7, 0xC9, 0xCF, 0xD3, 0xD4].reduce(0) { $0 + counts[$1] }
    let runs = zip(bytes.dropFirst(), bytes).count { $0 >= 0xC0 && $1 < 0xC0 }
    return letters >= 40 && sum(0xC1...0xD9) * 10 > letters * 9 && counts[0xD2] == 0 && counts[0xC0] == 0
      && sum(0xDA...0xDF) == 0 && counts[0xCE] * 50 < letters && frequent * 10 > letters * 4
      && letters * 2 >= runs * 5
  }

  /// The frequencies of the letters а … я in Russian, in thousandths.
  private static let frequencies: [Double] = [
    80, 16, 45, 17, 30, 85, 9, 16, 74, 12, 35, 44, 32, 67, 110, 28, 47, 55, 63, 26, 3, 10, 5, 14, 7, 4, 1, 19,
    17, 3, 6,
    20,
  ]

  /// Detects Cyrillic, whose letters stand together in words.
  ///
  /// It chooses the code page with the most frequent letters; a small letter before a capital
  /// counts against a page.
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
