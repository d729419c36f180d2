import Foundation

/// A name of a video, query, file or member; two names are equal if their bytes are.
///
/// Python and LMDB compare names in the same way. Swift's own comparison treats `é` and `e` with a
/// combining accent as equal, but as keys of stores and files they differ.
public struct Name: Hashable, Comparable, Sendable, CustomStringConvertible, ExpressibleByStringLiteral {
  /// The name as text; its UTF-8 bytes decide identity.
  public let text: String

  /// Creates a name from any text, unchecked.
  @inlinable
  public init(_ text: String) { self.text = text }

  /// Takes the literal's bytes, without normalization.
  @inlinable
  public init(stringLiteral text: String) { self.text = text }

  /// The text itself.
  public var description: String { text }

  /// Compares bytes, so the same text in two normalizations is two names.
  @inlinable
  public static func == (a: Name, b: Name) -> Bool { a.text.hasSameBytes(as: b.text) }

  /// Hashes the bytes and a terminator, consistent with equality.
  @inlinable
  public func hash(into hasher: inout Hasher) {
    let isDone: Void? = text.utf8.withContiguousStorageIfAvailable {
      hasher.combine(bytes: UnsafeRawBufferPointer($0))
    }
    if isDone == nil { for byte in text.utf8 { hasher.combine(byte) } }
    hasher.combine(UInt8(0xFF))
  }

  /// Compares bytes, which sorts by code points, as Python does.
  @inlinable
  public static func < (a: Name, b: Name) -> Bool { a.text.utf8.lexicographicallyPrecedes(b.text.utf8) }

  /// The name in Normalization Form C, which is equal for names that look the same.
  public var normalized: Name { Name(text.precomposedStringWithCanonicalMapping) }
}

extension String {
  /// Returns whether the other text has the same bytes.
  @inlinable
  public func hasSameBytes(as other: String) -> Bool {
    utf8.count == other.utf8.count && utf8.elementsEqual(other.utf8)
  }

  /// The quoted text followed by its code points beyond ASCII, to tell spellings apart.
  public var spelled: String {
    let points = unicodeScalars.filter { !$0.isASCII }.prefix(4)
      .map { "U+" + String(format: "%04X", $0.value) }
    return points.isEmpty ? "\"\(self)\"" : "\"\(self)\" (\(points.joined(separator: " ")))"
  }
}

extension Sequence<String> {
  /// Returns the texts in byte order.
  public func sortedByBytes() -> [String] { sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) } }
}

extension Dictionary where Key == Name {
  /// The value of a name.
  @inlinable
  public subscript(_ text: String) -> Value? {
    get { self[Name(text)] }
    set { self[Name(text)] = newValue }
  }
}

extension Set where Element == Name {
  /// Returns whether the set has a name of these bytes.
  @inlinable
  public func contains(_ text: String) -> Bool { contains(Name(text)) }
}

/// Names that differ only in Unicode normalization, as macOS and Linux may name one file.
public enum Normalization {
  /// Returns the first two of `names` that look the same but differ in their bytes.
  ///
  /// Names of ASCII alone cost nothing.
  public static func twins(among names: some Sequence<String>) -> (String, String)? {
    var seen: [Name: String] = [:]
    for name in names where !name.utf8.allSatisfy({ $0 < 0x80 }) {
      let known = seen.updateValue(name, forKey: Name(name).normalized)
      if let known, !known.hasSameBytes(as: name) { return (known, name) }
    }
    return nil
  }

  /// Returns one line about such names; nil if there are none.
  public static func note(among names: some Sequence<String>, in source: String) -> String? {
    twins(among: names).map {
      "\(source): \($0.spelled) and \($1.spelled) differ in Unicode normalization only; they are two names"
    }
  }

  /// Returns a sentence on how many missing names exist in another normalization; nil if none do.
  public static func hint(missing: some Sequence<String>, among known: some Sequence<String>) -> String? {
    let foreign = missing.filter { !$0.utf8.allSatisfy { $0 < 0x80 } }
    guard !foreign.isEmpty else { return nil }
    var spellings: [Name: String] = [:]
    for name in known where !name.utf8.allSatisfy({ $0 < 0x80 }) { spellings[Name(name).normalized] = name }
    let pairs = foreign.compactMap { name in spellings[Name(name).normalized].map { (name, $0) } }
    guard let first = pairs.first else { return nil }
    return
      "\(pairs.count) of these differ in Unicode normalization only, such as \(first.0.spelled), which is "
      + "\(first.1.spelled) there; write names alike in both, for instance all in NFC"
  }
}
