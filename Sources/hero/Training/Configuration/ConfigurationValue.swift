import Formats

/// A type that an option of a run can have: read from a JSON file or from words of a command line,
/// saved as JSON.
public protocol ConfigurationValue: Sendable, Equatable {
  /// What a value must be, as in "must be …".
  static var expectation: String { get }
  /// Whether a flag takes every word up to the next flag.
  static var takesManyWords: Bool { get }

  /// nil where the JSON is of another kind.
  init?(json: JSON)
  /// nil where the words cannot be read so. There is at least one.
  init?(words: [String])
  /// As files and `log/hps.json` hold it; `init(json:)` reads it back.
  var json: JSON { get }
}

extension ConfigurationValue {
  /// One word, unless a type says otherwise.
  public static var takesManyWords: Bool { false }
}

/// One name out of a few.
public protocol ConfigurationName: ConfigurationValue, RawRepresentable, CaseIterable
where RawValue == String {}

extension ConfigurationName {
  /// "one of a, b, c", in the order of the cases.
  public static var expectation: String { "one of " + allCases.map(\.rawValue).joined(separator: ", ") }

  /// nil for JSON that is no text, or a text that names no case.
  public init?(json: JSON) {
    guard let name = json.string else { return nil }
    self.init(rawValue: name)
  }

  /// The first word as the name of a case.
  public init?(words: [String]) { self.init(rawValue: words[0]) }
  /// The name as a JSON text.
  public var json: JSON { .string(rawValue) }
}

extension Int: ConfigurationValue {
  /// Whole numbers of 64 bits with a sign.
  public static var expectation: String { "a whole number" }

  /// Python writes some whole numbers as floats (`5000.0`), and the reference takes them.
  public init?(json: JSON) {
    switch json {
    case .int(let value): self = value
    case .double(let value):
      guard let whole = Int(exactly: value) else { return nil }
      self = whole
    default: return nil
    }
  }

  /// `5000`, and as Python takes it `5000.0` and `5e3`.
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
  /// Within the range of a `Float`, in which models compute.
  public static var expectation: String { "a number, at most 3.4e38 as floats go" }

  /// nil for a number beyond a `Float`'s range, infinities included.
  public init?(json: JSON) {
    switch json {
    case .int(let value): self = Double(value)
    case .double(let value) where Float(value).isFinite: self = value
    default: return nil
    }
  }

  /// As Python takes it: Swift also reads hexadecimal numbers, which are slips of the pen here.
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
  /// As in "must be true or false".
  public static var expectation: String { "true or false" }

  /// nil for everything but JSON's `true` and `false`; 0 and 1 are numbers.
  public init?(json: JSON) {
    guard case .bool(let value) = json else { return nil }
    self = value
  }

  /// `true` or `false`, in any case of letters.
  public init?(words: [String]) { self.init(words[0].lowercased()) }
  /// JSON's `true` or `false`.
  public var json: JSON { .bool(self) }
}

extension String: ConfigurationValue {
  /// As in "must be a text".
  public static var expectation: String { "a text" }

  /// nil for everything but a JSON text.
  public init?(json: JSON) {
    guard case .string(let value) = json else { return nil }
    self = value
  }

  /// The first word as it stands, an empty one too.
  public init?(words: [String]) { self = words[0] }
  /// A JSON text.
  public var json: JSON { .string(self) }
}

/// `null`, and an empty text as the reference takes it, mean "none".
extension Optional: ConfigurationValue where Wrapped: ConfigurationValue {
  /// The wrapped type's, "or null".
  public static var expectation: String { Wrapped.expectation + " or null" }
  /// As the wrapped type's.
  public static var takesManyWords: Bool { Wrapped.takesManyWords }

  /// `.some(nil)` for `null` and `""`; nil where the wrapped type refuses the JSON.
  public init?(json: JSON) {
    if json == .null || json == .string("") {
      self = .none
    } else {
      guard let value = Wrapped(json: json) else { return nil }
      self = value
    }
  }

  /// `.some(nil)` for the word `null` and the empty word; nil where the wrapped type refuses the
  /// words.
  public init?(words: [String]) {
    if words == ["null"] || words == [""] {
      self = .none
    } else {
      guard let value = Wrapped(words: words) else { return nil }
      self = value
    }
  }

  /// `null` for no value.
  public var json: JSON { map(\.json) ?? .null }
}

/// A list; where the file has one bare value, a list of that value. Flags take words or a JSON
/// list.
extension Array: ConfigurationValue where Element: ConfigurationValue {
  /// "a list, each" and the element's expectation.
  public static var expectation: String { "a list, each " + Element.expectation }
  /// Every word up to the next flag is an element.
  public static var takesManyWords: Bool { true }

  /// A JSON list, or one element without brackets; nil where an element is refused.
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

  /// Words that begin with `[` are joined to a JSON list; else each word is an element.
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

  /// A JSON list, of one element too.
  public var json: JSON { .array(map(\.json)) }
}

/// Settings with a structure of their own, such as the corpora of pre-training.
extension JSON: ConfigurationValue {
  /// As in "must be JSON".
  public static var expectation: String { "JSON" }
  /// Takes any JSON, unchecked.
  public init?(json: JSON) { self = json }

  /// The words joined by spaces, parsed as JSON; nil where that fails.
  public init?(words: [String]) {
    guard let value = try? JSON.parse(Array(words.joined(separator: " ").utf8), file: "") else { return nil }
    self = value
  }

  /// The value itself.
  public var json: JSON { self }
}

/// Paths of one kind, such as stores that are read as one: none, one as a text, or a list.
public struct PathList: ConfigurationValue {
  /// In the order given, which is the order in which the stores are read.
  public var paths: [String] = []

  /// As in "must be a path, a list of paths, or null".
  public static var expectation: String { "a path, a list of paths, or null" }
  /// Every word up to the next flag is a path.
  public static var takesManyWords: Bool { true }

  /// Takes paths unchecked; the other initializers refuse empty ones.
  public init(_ paths: [String] = []) { self.paths = paths }

  /// `null` and `""` for no path, one text, or a list of texts; nil for a list with an empty text.
  public init?(json: JSON) {
    guard json != .null, json != .string("") else { return }
    guard let paths = [String](json: json), !paths.contains("") else { return nil }
    self.paths = paths
  }

  /// The words `null` and `""` mean no path; else as a list of texts.
  public init?(words: [String]) {
    guard words != ["null"], words != [""] else { return }
    guard let paths = [String](words: words), !paths.contains("") else { return nil }
    self.paths = paths
  }

  /// `null` for no path, a text for one, a list for more.
  public var json: JSON {
    paths.count > 1 ? .array(paths.map { .string($0) }) : paths.first.map { .string($0) } ?? .null
  }
}
