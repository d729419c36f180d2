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
  var json: JSON { get }
}

extension ConfigurationValue {
  public static var takesManyWords: Bool { false }
}

/// One name out of a few.
public protocol ConfigurationName: ConfigurationValue, RawRepresentable, CaseIterable
where RawValue == String {}

extension ConfigurationName {
  public static var expectation: String { "one of " + allCases.map(\.rawValue).joined(separator: ", ") }

  public init?(json: JSON) {
    guard let name = json.string else { return nil }
    self.init(rawValue: name)
  }

  public init?(words: [String]) { self.init(rawValue: words[0]) }
  public var json: JSON { .string(rawValue) }
}

extension Int: ConfigurationValue {
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

  public var json: JSON { .int(self) }
}

extension Double: ConfigurationValue {
  /// Within the range of a `Float`, in which models compute.
  public static var expectation: String { "a number, at most 3.4e38 as floats go" }

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

  public var json: JSON { .double(self) }
}

extension Bool: ConfigurationValue {
  public static var expectation: String { "true or false" }

  public init?(json: JSON) {
    guard case .bool(let value) = json else { return nil }
    self = value
  }

  public init?(words: [String]) { self.init(words[0].lowercased()) }
  public var json: JSON { .bool(self) }
}

extension String: ConfigurationValue {
  public static var expectation: String { "a text" }

  public init?(json: JSON) {
    guard case .string(let value) = json else { return nil }
    self = value
  }

  public init?(words: [String]) { self = words[0] }
  public var json: JSON { .string(self) }
}

/// `null`, and an empty text as the reference takes it, mean "none".
extension Optional: ConfigurationValue where Wrapped: ConfigurationValue {
  public static var expectation: String { Wrapped.expectation + " or null" }
  public static var takesManyWords: Bool { Wrapped.takesManyWords }

  public init?(json: JSON) {
    if json == .null || json == .string("") {
      self = .none
    } else {
      guard let value = Wrapped(json: json) else { return nil }
      self = value
    }
  }

  public init?(words: [String]) {
    if words == ["null"] || words == [""] {
      self = .none
    } else {
      guard let value = Wrapped(words: words) else { return nil }
      self = value
    }
  }

  public var json: JSON { map(\.json) ?? .null }
}

/// A list; where the file has one bare value, a list of that value. Flags take words or a JSON
/// list.
extension Array: ConfigurationValue where Element: ConfigurationValue {
  public static var expectation: String { "a list, each " + Element.expectation }
  public static var takesManyWords: Bool { true }

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

  public var json: JSON { .array(map(\.json)) }
}

/// Settings with a structure of their own, such as the corpora of pre-training.
extension JSON: ConfigurationValue {
  public static var expectation: String { "JSON" }
  public init?(json: JSON) { self = json }

  public init?(words: [String]) {
    guard let value = try? JSON.parse(Array(words.joined(separator: " ").utf8), file: "") else { return nil }
    self = value
  }

  public var json: JSON { self }
}

/// Paths of one kind, such as stores that are read as one: none, one as a text, or a list.
public struct PathList: ConfigurationValue {
  public var paths: [String] = []

  public static var expectation: String { "a path, a list of paths, or null" }
  public static var takesManyWords: Bool { true }

  public init(_ paths: [String] = []) { self.paths = paths }

  public init?(json: JSON) {
    guard json != .null, json != .string("") else { return }
    guard let paths = [String](json: json), !paths.contains("") else { return nil }
    self.paths = paths
  }

  public init?(words: [String]) {
    guard words != ["null"], words != [""] else { return }
    guard let paths = [String](words: words), !paths.contains("") else { return nil }
    self.paths = paths
  }

  public var json: JSON {
    paths.count > 1 ? .array(paths.map { .string($0) }) : paths.first.map { .string($0) } ?? .null
  }
}
