/// A set of UTF-16 code units: ranges, and general categories by name.
///
/// Stanford's tokenizer reads Java characters, so each half of a surrogate pair is a unit here too.
struct LexerSet: Sendable {
  /// The properties that only the Unicode tables know.
  struct Category: OptionSet, Sendable {
    let rawValue: UInt8
    static let letter = Category(rawValue: 1)
    static let digit = Category(rawValue: 2)
    static let uppercase = Category(rawValue: 4)
    /// The combining marks, spacing or not.
    static let mark = Category(rawValue: 8)
  }

  private var ranges: [ClosedRange<UInt16>] = []
  private var categories: Category = []
  private var isInverted = false

  /// Creates a set of the characters of a text.
  ///
  /// `a-z` is a range; a dash at the start or the end is a dash.
  init(_ description: String) {
    let units = Array(description.utf16)
    let dash = UInt16(UInt8(ascii: "-"))
    var index = 0
    while index < units.count {
      if index + 2 < units.count, units[index + 1] == dash, units[index] <= units[index + 2] {
        ranges.append(units[index]...units[index + 2])
        index += 3
      } else {
        ranges.append(units[index]...units[index])
        index += 1
      }
    }
  }

  init(_ categories: Category) {
    self.categories = categories
  }

  /// Creates a set of a character in both cases.
  init(bothCasesOf unit: UInt16) {
    ranges = [unit...unit]
    guard let scalar = Unicode.Scalar(unit) else { return }
    for other in [scalar.properties.lowercaseMapping, scalar.properties.uppercaseMapping] {
      let units = Array(other.utf16)
      if units.count == 1 { ranges.append(units[0]...units[0]) }
    }
  }

  static func | (a: LexerSet, b: LexerSet) -> LexerSet {
    var union = a
    union.ranges += b.ranges
    union.categories.formUnion(b.categories)
    return union
  }

  /// Returns everything outside of the set, line ends included.
  static prefix func ! (set: LexerSet) -> LexerSet {
    var inverse = set
    inverse.isInverted.toggle()
    return inverse
  }

  func contains(_ unit: UInt16) -> Bool {
    let isMember =
      ranges.contains { $0.contains(unit) }
      || (!categories.isEmpty && !categories.isDisjoint(with: Self.categories(of: unit)))
    return isMember != isInverted
  }

  private static func categories(of unit: UInt16) -> Category {
    guard let scalar = Unicode.Scalar(unit) else { return [] }
    switch scalar.properties.generalCategory {
    case .uppercaseLetter: return [.letter, .uppercase]
    case .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: return .letter
    case .decimalNumber: return .digit
    case .nonspacingMark, .spacingMark: return .mark
    default: return []
    }
  }
}
