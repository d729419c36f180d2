/// GPT-2's pre-tokenisation, which RoBERTa shares: splits a text into the words that BPE then
/// splits further.
///
/// It matches, leftmost first,
///
///     's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
///
/// (openai/gpt-2 `encoder.py`) with Python's `regex` module's Unicode classes. Every byte of the
/// text is in exactly one word.
struct PreTokenizer {
  enum ScalarClass: UInt8 {
    case letter, number, space, other
  }

  private let bytes: UnsafeBufferPointer<UInt8>
  private let end: Int
  private var position: Int

  /// Splits `bytes[range]`, which must be well-formed UTF-8 cut at scalar boundaries.
  init(_ bytes: UnsafeBufferPointer<UInt8>, range: Range<Int>) {
    self.bytes = bytes
    position = range.lowerBound
    end = range.upperBound
  }

  /// Returns the byte range of the next word, or nil at the end.
  mutating func next() -> Range<Int>? {
    guard position < end else { return nil }
    let start = position
    if let length = contractionLength(at: start) {
      position += length
      return start..<position
    }
    let (first, firstLength) = scalarClass(at: start)
    if first != .space {
      position = endOfRun(of: first, from: start + firstLength)
    } else if bytes[start] == 0x20, start + 1 < end, scalarClass(at: start + 1).class != .space {
      let (second, length) = scalarClass(at: start + 1)
      position = endOfRun(of: second, from: start + 1 + length)
    } else {
      position = endOfSpaces(from: start, firstLength: firstLength)
    }
    return start..<position
  }

  /// Returns the end of the word of CLIP's pattern that begins at a place.
  ///
  /// No word begins with a space, and each digit is a word:
  ///
  ///     's|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+
  ///
  /// - Parameter bytes: well-formed UTF-8.
  static func clipWord(
    _ bytes: UnsafeBufferPointer<UInt8>, at start: Int
  ) -> (end: Int, isSpace: Bool) {
    let words = PreTokenizer(bytes, range: start..<bytes.count)
    if let length = words.contractionLength(at: start) { return (start + length, false) }
    let (first, length) = words.scalarClass(at: start)
    switch first {
    case .space: return (start + length, true)
    case .number: return (start + length, false)
    case .letter, .other: return (words.endOfRun(of: first, from: start + length), false)
    }
  }

  /// Returns the length of `'s`, `'t`, `'re`, `'ve`, `'m`, `'ll` or `'d` at `index`, else nil.
  private func contractionLength(at index: Int) -> Int? {
    guard bytes[index] == UInt8(ascii: "'"), index + 1 < end else { return nil }
    let following = index + 2 < end ? bytes[index + 2] : 0
    switch (bytes[index + 1], following) {
    case (UInt8(ascii: "s"), _), (UInt8(ascii: "t"), _), (UInt8(ascii: "m"), _), (UInt8(ascii: "d"), _):
      return 2
    case (UInt8(ascii: "r"), UInt8(ascii: "e")), (UInt8(ascii: "v"), UInt8(ascii: "e")),
      (UInt8(ascii: "l"), UInt8(ascii: "l")):
      return 3
    default:
      return nil
    }
  }

  private func endOfRun(of wanted: ScalarClass, from index: Int) -> Int {
    var index = index
    while index < end {
      let (found, length) = scalarClass(at: index)
      guard found == wanted else { break }
      index += length
    }
    return index
  }

  /// Returns the end of `\s+(?!\S)|\s+`.
  ///
  /// White space before a word leaves its last scalar to the word, unless it has only that one.
  private func endOfSpaces(from start: Int, firstLength: Int) -> Int {
    var index = start + firstLength
    var last = start
    while index < end {
      let (found, length) = scalarClass(at: index)
      guard found == .space else { return last > start ? last : index }
      last = index
      index += length
    }
    return index
  }

  private func scalarClass(at index: Int) -> (class: ScalarClass, length: Int) {
    let byte = bytes[index]
    if byte < 0x80 { return (Self.asciiClass(byte), 1) }
    let (scalar, length) = UTF8Scalar.decode(bytes, at: index, end: end)
    return (Self.scalarClass(scalar), length)
  }

  @inline(__always)
  private static func asciiClass(_ byte: UInt8) -> ScalarClass {
    switch byte {
    case 0x61...0x7A, 0x41...0x5A: .letter
    case 0x30...0x39: .number
    case 0x20, 0x09...0x0D: .space
    default: .other
    }
  }

  private static func scalarClass(_ value: UInt32) -> ScalarClass {
    guard let scalar = Unicode.Scalar(value) else { return .other }
    let properties = scalar.properties
    switch properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: return .letter
    case .decimalNumber, .letterNumber, .otherNumber: return .number
    default: return properties.isWhitespace ? .space : .other
    }
  }
}
