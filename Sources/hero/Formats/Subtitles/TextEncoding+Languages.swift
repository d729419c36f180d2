import Foundation

extension TextEncoding {
  /// A language's letters beyond ASCII, with their frequencies among one another.
  private struct Language {
    let frequencies: [Unicode.Scalar: Double]

    /// - Parameter letters: the letters with counts of any sum, such as `é70 è12 …`.
    init(_ letters: String) {
      var counts: [Unicode.Scalar: Double] = [:]
      for entry in letters.split(separator: " ") {
        guard let letter = entry.unicodeScalars.first else { continue }
        counts[letter] = Double(entry.dropFirst())
      }
      let sum = counts.values.reduce(0, +)
      frequencies = counts.mapValues { $0 / sum }
    }
  }

  /// The languages of Windows-1252, against which the others are measured.
  private static let western = [
    "é70 è12 à13 ê6 ç3 â2 î2 ô2 û2 ù1 œ1 ë1 ï1", "ü35 ä30 ö15 ß18", "ó23 á22 í22 é20 ñ8 ú5 ¿6 ¡5 ü1",
    "ã20 é18 á14 ç12 ó6 ê9 í8 õ5 à4 ú5 â3 ô2", "è40 à25 ù10 ò12 é8 ì5", "ä45 å25 ö28 é1", "ø35 å40 æ25 é1",
    "é40 ë30 ï15 ö8 ü5", "í14 ð28 á16 þ12 é6 ö8 ú6 ý3 ó8 æ8", "à30 é20 è15 ó10 í8 ò6 ç6 ú3 ï2",
  ].map(Language.init)

  /// The letters of Czech, Slovak, Polish, Hungarian, Croatian and Slovene, and Romanian.
  private static let central = [
    "í22 á19 é9 ě14 š8 č8 ř10 ž9 ý8 ů5 ú1 ť1 ď1 ň1", "á22 í12 é10 ý10 ú9 š9 č11 ž10 ľ4 ť5 ň2 ô2 ä1 ď2",
    "ł22 ę18 ą16 ó13 ż11 ś9 ć6 ń3 ź1", "á30 é32 í5 ó9 ö10 ő8 ú2 ü5 ű2", "š28 č30 ž17 ć17 đ6", "š33 č38 ž28",
    "ă38 â12 î18 ş14 ţ16",
  ].map(Language.init)

  /// The languages of each code page.
  private static let pages: [(name: String, languages: [Language])] = [
    ("CP1250", central), ("ISO-8859-2", central),
    (
      "CP1253",
      [
        Language(
          "α110 ε80 η50 ι70 ο90 τ80 ς40 ν65 σ40 υ35 ρ45 κ42 π40 λ28 μ33 δ17 θ13 γ18 ω20 χ11 φ10 β7 ξ5 ζ4 ψ2 "
            + "ά20 έ20 ή18 ί25 ό20 ύ12 ώ9")
      ]
    ),
    ("CP1254", [Language("ı37 ş14 ğ9 ü14 ö7 ç9 i3 â1")]),
    (
      "CP1257",
      [
        "ė16 ų15 ž9 š13 į5 ū5 č4 ą6 ę3", "ā40 ī18 ē17 š10 ū5 ņ5 ļ4 ķ2 ģ2 ž2 č1", "ä34 õ30 ü22 ö8 š1 ž1",
      ].map(Language.init)
    ),
  ]

  /// The log-likelihoods of a letter that a language lacks, and of a character that nobody writes.
  private static let unlikely = (letter: -6.0, character: -8.0)

  /// The marks that stand in texts of any language.
  ///
  /// Rarer marks, such as `±`, are not among them: they tell that a letter is meant.
  private static let marks = Set("€‚„…‹‘’“”•–—›\u{A0}«»°™".unicodeScalars)

  /// Returns the log-likelihood of a text's letters in the likeliest of some languages.
  private static func likelihood(_ letters: [Unicode.Scalar: Int], _ languages: [Language]) -> Double {
    languages.map { language in
      letters.reduce(0) { sum, entry in
        let (letter, count) = entry
        let known = language.frequencies[letter].map { log($0) }
        return sum + Double(count)
          * (known ?? (letter.properties.isAlphabetic ? unlikely.letter : unlikely.character))
      }
    }.max() ?? -.infinity
  }

  /// Returns the letters beyond ASCII of bytes in a code page, in lower case, with their counts.
  private static func letters(_ bytes: ArraySlice<UInt8>, as name: String) -> [Unicode.Scalar: Int] {
    var letters: [Unicode.Scalar: Int] = [:]
    for scalar in decode(bytes, as: name)?.text.unicodeScalars ?? .init()
    where scalar.value >= 0x80 && !marks.contains(scalar) {
      // In lower case, İ is two scalars: an i and its dot.
      letters[scalar.properties.lowercaseMapping.unicodeScalars.first ?? scalar, default: 0] += 1
    }
    return letters
  }

  /// Returns the code page of Central Europe, Greece, Turkey or the Baltic whose letters are far
  /// likelier than those of Windows-1252; nil if none is.
  static func latin(_ bytes: ArraySlice<UInt8>) -> String? {
    let high = bytes.filter { $0 >= 0x80 }
    guard high.count >= 6 else { return nil }
    let usual = likelihood(letters(high[...], as: "CP1252"), western)
    let best = pages.map { page in
      (name: page.name, value: likelihood(letters(high[...], as: page.name), page.languages))
    }.max { $0.value < $1.value }
    guard let best, best.value > usual + 10, best.value > usual + Double(high.count) * 0.25 else {
      return nil
    }
    return best.name
  }

  /// Detects Arabic: its letters stand together in words, and more than half are ا, ل, ي, م, ن, و,
  /// ر, ت or ب.
  static func arabic(_ bytes: ArraySlice<UInt8>) -> String? {
    var (letters, frequent, alif, runs) = (0, 0, 0, 0)
    var isInside = false
    for byte in bytes {
      let isHigh = byte >= 0x80
      if isHigh {
        letters += 1
        if [0xC7, 0xE1, 0xED, 0xE3, 0xE4, 0xE6, 0xD1, 0xCA, 0xC8].contains(byte) { frequent += 1 }
        if byte == 0xC7 { alif += 1 }
        if !isInside { runs += 1 }
      }
      isInside = isHigh
    }
    guard letters >= 12, letters * 2 >= runs * 5, frequent * 2 > letters, alif * 14 > letters else {
      return nil
    }
    return "CP1256"
  }
}
