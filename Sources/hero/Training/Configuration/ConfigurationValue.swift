import Formats

/// A type that an option of a run can have.
///
/// It is read from a JSON file or from words of a command line, and saved as JSON.
public protocol ConfigurationValue: Sendable, Equatable {
  /// What a value must be, as in "must be …".
  static var expectation: String { get }
  /// Whether a flag takes every word up to the next flag.
  static var takesManyWords: Bool { get }

  /// Reads a value; nil if the JSON is of another kind.
  init?(json: JSON)
  /// Reads a value from at least one word; nil if the words do not form one.
  init?(words: [String])
  /// The value as files and `log/hps.json` hold it; `init(json:)` reads it back.
  var json: JSON { get }
}

extension ConfigurationValue {
  /// False unless a type says otherwise: a flag takes one word.
  public static var takesManyWords: Bool { false }
}

/// A value that is one of a few names.
public protocol ConfigurationName: ConfigurationValue, RawRepresentable, CaseIterable
where RawValue == String {}

extension ConfigurationName {
  /// "one of a, b, c", in the order of the cases.
  public static var expectation: String { "one of " + allCases.map(\.rawValue).joined(separator: ", ") }

  /// Reads the name of a case; nil for JSON that is not a text or names no case.
  public init?(json: JSON) {
    guard let name = json.string else { return nil }
    self.init(rawValue: name)
  }

  /// Reads the first word as the name of a case.
  public init?(words: [String]) { self.init(rawValue: words[0]) }
  /// The name as a JSON text.
  public var json: JSON { .string(rawValue) }
}

extension Int: ConfigurationValue {
  /// The expectation of a signed 64-bit number.
  public static var expectation: String { "a whole number" }

  /// Reads a whole number, also one that Python writes as a float (`5000.0`), as the reference
  /// does.
  public init?(json: JSON) {
    switch json {
    case .int(let value): self = value
    case .double(let value):
      guard let whole = Int(exactly: value) else { return nil }
      self = whole
    default: return nil
    }
  }

  /// Reads `5000`, and like Python `5000.0` and `5e3`.
  public init?(words: [String]) {
    if let value = Int(words[0]) {
      self = value
    } else {
      guard let value = Double(words: words), let whole = Int(exactly: value) else { return nil }
      self = whole
    }
  }

  /// A JSON whole number.
  public var json: JSON { .int(self) }
}

extension Double: ConfigurationValue {
  /// The expectation of a number within the range of `Float`, in which models compute.
  public static var expectation: String { "a number, at most 3.4e38 as floats go" }

  /// Reads a number; nil for one beyond the range of `Float`, infinities included.
  public init?(json: JSON) {
    switch json {
    case .int(let value): self = Double(value)
    case .double(let value) where Float(value).isFinite: self = value
    default: return nil
    }
  }

  /// Reads a number as Python does; hexadecimal numbers, which Swift also reads, count as typos.
  public init?(words: [String]) {
    guard !words[0].contains(where: { "xXpP".contains($0) }), let value = Double(words[0]),
      Float(value).isFinite
    else { return nil }
    self = value
  }

  /// A JSON number, kept as a double.
  public var json: JSON { .double(self) }
}

extension Bool: ConfigurationValue {
  /// The words that follow "must be".
  public static var expectation: String { "true or false" }

  /// Reads JSON's `true` or `false`; nil for all other JSON, 0 and 1 included.
  public init?(json: JSON) {
    guard case .bool(let value) = json else { return nil }
    self = value
  }

  /// Reads `true` or `false`, in any letter case.
  public init?(words: [String]) { self.init(words[0].lowercased()) }
  /// JSON's `true` or `false`.
  public var json: JSON { .bool(self) }
}

extension String: ConfigurationValue {
  /// The words that follow "must be".
  public static var expectation: String { "a text" }

  /// Reads a JSON text; nil for all other JSON.
  public init?(json: JSON) {
    guard case .string(let value) = json else { return nil }
    self = value
  }

  /// Takes the first word unchanged, even an empty one.
  public init?(words: [String]) { self = words[0] }
  /// A JSON text.
  public var json: JSON { .string(self) }
}

/// A value or none, which is `null` or, as in the reference, an empty text.
extension Optional: ConfigurationValue where Wrapped: ConfigurationValue {
  /// The wrapped type's expectation, then "or null".
  public static var expectation: String { Wrapped.expectation + " or null" }
  /// The wrapped type's value.
  public static var takesManyWords: Bool { Wrapped.takesManyWords }

  /// Reads `null` and `""` as `.some(nil)`; nil if the wrapped type refuses the JSON.
  public init?(json: JSON) {
    if json == .null || json == .string("") {
      self = .none
    } else {
      guard let value = Wrapped(json: json) else { return nil }
      self = value
    }
  }

  /// Reads the word `null` and the empty word as `.some(nil)`; nil if the wrapped type refuses the
  /// words.
  public init?(words: [String]) {
    if words == ["null"] || words == [""] {
      self = .none
    } else {
      guard let value = Wrapped(words: words) else { return nil }
      self = value
    }
  }

  /// The wrapped value's JSON; `null` for none.
  public var json: JSON { map(\.json) ?? .null }
}

/// A list; a file may hold one bare value instead.
///
/// Flags take words or a JSON list.
extension Array: ConfigurationValue where Element: ConfigurationValue {
  /// The words "a list, each", then the element's expectation.
  public static var expectation: String { "a list, each " + Element.expectation }
  /// True: every word up to the next flag is an element.
  public static var takesManyWords: Bool { true }

  /// Reads a JSON list, or one element without brackets; nil if an element is refused.
  public init?(json: JSON) {
    guard case .array(let items) = json else {
      guard let only = Element(json: json) else { return nil }
      self = [only]
      return
    }
    self = []
    for item in items {
      guard let element = Element(json: item) else { return nil }
      append(element)
    }
  }

  /// Reads each word as an element, or all words as a JSON list if the first begins with `[`.
  public init?(words: [String]) {
    if words[0].hasPrefix("[") {
      guard let list = try? JSON.parse(Array<UInt8>(words.joined(separator: " ").utf8), file: "") else {
        return nil
      }
      self.init(json: list)
      return
    }
    self = []
    for word in words {
      guard let element = Element(words: [word]) else { return nil }
      append(element)
    }
  }

  /// A JSON list, even for one element.
  public var json: JSON { .array(map(\.json)) }
}

/// Settings with a structure of their own, such as the corpora of pre-training.
extension JSON: ConfigurationValue {
  /// The words that follow "must be".
  public static var expectation: String { "JSON" }
  /// Takes any JSON, unchecked.
  public init?(json: JSON) { self = json }

  /// Parses the words, joined by spaces, as JSON; nil if that fails.
  public init?(words: [String]) {
    guard let value = try? JSON.parse(Array(words.joined(separator: " ").utf8), file: "") else { return nil }
    self = value
  }

  /// The value itself.
  public var json: JSON { self }
}

/// A list of paths of one kind, such as stores that are read as one.
public struct PathList: ConfigurationValue {
  /// The paths in the given order, in which the stores are read.
  public var paths: [String] = []

  /// The words that follow "must be".
  public static var expectation: String { "a path, a list of paths, or null" }
  /// True: every word up to the next flag is a path.
  public static var takesManyWords: Bool { true }

  /// Takes paths unchecked; the other initializers refuse empty ones.
  public init(_ paths: [String] = []) { self.paths = paths }

  /// Reads `null` or `""` as no path, one text, or a list of texts; nil if a listed text is empty.
  public init?(json: JSON) {
    guard json != .null, json != .string("") else { return }
    guard let paths = [String](json: json), !paths.contains("") else { return nil }
    self.paths = paths
  }

  /// Reads `null` or the empty word as no path, and other words as a list of texts.
  public init?(words: [String]) {
    guard words != ["null"], words != [""] else { return }
    guard let paths = [String](words: words), !paths.contains("") else { return nil }
    self.paths = paths
  }

  /// The paths as JSON: `null` for none, a text for one, a list for more.
  public var json: JSON {
    paths.count > 1 ? .array(paths.map { .string($0) }) : paths.first.map { .string($0) } ?? .null
  }
}
