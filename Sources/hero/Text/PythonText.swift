/// Python's `str` methods on a text, scalar by scalar.
///
/// The released stores were tokenised by Python, so its notions of white space, case and
/// lower-casing decide the token ids. Swift's own `lowercased()` and `Character.isWhitespace`
/// differ from them in details.
enum PythonText {
  /// Returns whether `str.isspace` holds, that is, whether `str.strip` removes the scalar.
  static func isSpace(_ scalar: UInt32) -> Bool {
    switch scalar {
    case 0x09...0x0D, 0x1C...0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F,
      0x3000:
      true
    default: false
    }
  }

  /// Returns the part of well-formed UTF-8 that `str.strip` leaves.
  static func strippedRange(of bytes: UnsafeBufferPointer<UInt8>, in range: Range<Int>) -> Range<Int> {
    var start = range.lowerBound
    var end = range.upperBound
    while start < end {
      let (scalar, length) = UTF8Scalar.decode(bytes, at: start, end: end)
      guard isSpace(scalar) else { break }
      start += length
    }
    while end > start {
      var first = end - 1
      while first > start, UTF8Scalar.isContinuation(bytes[first]) { first -= 1 }
      guard isSpace(UTF8Scalar.decode(bytes, at: first, end: end).scalar) else { break }
      end = first
    }
    return start..<end
  }

  /// Returns `str.isupper`: some letter has case, and every letter with case is upper case.
  static func isUpper(_ text: String) -> Bool {
    var hasUpper = false
    for scalar in text.unicodeScalars {
      if scalar.isASCII {
        switch scalar.value {
        case 0x61...0x7A: return false
        case 0x41...0x5A: hasUpper = true
        default: break
        }
        continue
      }
      let properties = scalar.properties
      if properties.isLowercase || properties.generalCategory == .titlecaseLetter { return false }
      hasUpper = hasUpper || properties.isUppercase
    }
    return hasUpper
  }

  /// Returns `str.lower`: the full, unconditional mapping of each scalar, and the final form of
  /// sigma.
  static func lowered(_ text: String) -> String {
    let scalars = Array(text.unicodeScalars)
    var result = String.UnicodeScalarView()
    for (index, scalar) in scalars.enumerated() {
      if scalar == "Σ" {
        result.append(isFinalSigma(scalars, at: index) ? "ς" : "σ")
      } else if scalar.isASCII {
        let isUpper = (0x41...0x5A).contains(scalar.value)
        result.append(isUpper ? Unicode.Scalar(UInt8(scalar.value) + 32) : scalar)
      } else {
        result.append(contentsOf: scalar.properties.lowercaseMapping.unicodeScalars)
      }
    }
    return String(result)
  }

  /// Returns Unicode's `Final_Sigma`: a cased letter before, none after, ignorable scalars skipped.
  private static func isFinalSigma(_ scalars: [Unicode.Scalar], at index: Int) -> Bool {
    func isIgnorable(_ scalar: Unicode.Scalar) -> Bool { scalar.properties.isCaseIgnorable }
    guard let before = scalars[..<index].last(where: { !isIgnorable($0) }), before.properties.isCased
    else { return false }
    guard let after = scalars[(index + 1)...].first(where: { !isIgnorable($0) }) else { return true }
    return !after.properties.isCased
  }
}

/// Scalars of UTF-8 that is already known to be well formed (the storage of a `String`).
enum UTF8Scalar {
  @inline(__always)
  static func isContinuation(_ byte: UInt8) -> Bool { byte & 0xC0 == 0x80 }

  /// Returns the scalar at `index` and its length in bytes; never reads at or past `end`.
  @inline(__always)
  static func decode(
    _ bytes: UnsafeBufferPointer<UInt8>, at index: Int, end: Int
  ) -> (scalar: UInt32, length: Int) {
    let lead = bytes[index]
    if lead < 0x80 { return (UInt32(lead), 1) }
    let length = min(lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2, end - index)
    var scalar = UInt32(lead) & (lead >= 0xF0 ? 0x07 : lead >= 0xE0 ? 0x0F : 0x1F)
    for offset in 1..<max(length, 1) {
      scalar = scalar << 6 | UInt32(bytes[index + offset] & 0x3F)
    }
    return (scalar, max(length, 1))
  }
}
