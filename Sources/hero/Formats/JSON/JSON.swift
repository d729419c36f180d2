import OrderedCollections

/// A JSON value.
///
/// As in Python, objects keep the order of their keys, and integers differ from other numbers.
public enum JSON: Equatable, Sendable {
  case null
  case bool(Bool)
  /// A number without point or exponent that fits `Int`; larger ones become `double`.
  case int(Int)
  case double(Double)
  case string(String)
  case array([JSON])
  case object(JSONObject)
}

/// The members of a JSON object in the order in which they were written.
///
/// If a key repeats, the last value counts. Keys are equal if their bytes are.
public struct JSONObject: Equatable, Sendable, Sequence, ExpressibleByDictionaryLiteral {
  private var members: OrderedDictionary<Name, JSON>

  /// Creates `{}`.
  public init() { members = [:] }

  /// Creates an object from a literal; if a key repeats, the last value counts.
  public init(dictionaryLiteral elements: (String, JSON)...) {
    members = OrderedDictionary(elements.lazy.map { (Name($0.0), $0.1) }) { _, last in last }
  }

  /// Creates an object with the given members.
  public init(_ elements: some Sequence<(key: String, value: JSON)>) {
    members = [:]
    members.reserveCapacity(elements.underestimatedCount)
    for (key, value) in elements { members[Name(key)] = value }
  }

  /// The value of `key`, or nil; setting nil removes the member.
  public subscript(key: String) -> JSON? {
    get { members[Name(key)] }
    set { members[Name(key)] = newValue }
  }

  /// Sets the value of a key and returns the value that was there, or nil.
  mutating func updateValue(_ value: JSON, forKey key: String) -> JSON? {
    members.updateValue(value, forKey: Name(key))
  }

  /// The number of members; a repeated key counts once.
  public var count: Int { members.count }
  /// Whether it is `{}`.
  public var isEmpty: Bool { members.isEmpty }
  /// The keys in the order in which they were written.
  public var keys: [String] { members.keys.map(\.text) }
  /// The values in the order of the keys.
  public var values: [JSON] { Array(members.values) }

  /// An iterator over the members in the order in which they were written.
  public struct Iterator: IteratorProtocol {
    fileprivate var members: OrderedDictionary<Name, JSON>.Iterator

    /// Returns the next member, or nil after the last.
    public mutating func next() -> (key: String, value: JSON)? {
      members.next().map { ($0.key.text, $0.value) }
    }
  }

  /// Returns an iterator that starts at the first member.
  public func makeIterator() -> Iterator { Iterator(members: members.makeIterator()) }

  /// The exact number of members.
  public var underestimatedCount: Int { members.count }
}

// MARK: - Access

extension JSON {
  /// Whether it is `null`; an absent member is nil instead.
  public var isNull: Bool { self == .null }

  /// The value, if this is a boolean.
  public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }

  /// The number, if it was written as an integer; nil for `5.0`.
  public var int: Int? { if case .int(let value) = self { value } else { nil } }

  /// The whole number, even if it was written as `5.0` or `5e0`, as pandas and numpy write it.
  public var whole: Int? {
    guard case .double(let value) = self else { return int }
    return value.magnitude < 0x1p53 ? Int(exactly: value) : nil
  }

  /// The number, whether it was written as an integer or not.
  public var double: Double? {
    switch self {
    case .int(let value): Double(value)
    case .double(let value): value
    default: nil
    }
  }

  /// The text, if this is a string.
  public var string: String? { if case .string(let value) = self { value } else { nil } }

  /// The elements, if this is a list.
  public var array: [JSON]? { if case .array(let value) = self { value } else { nil } }

  /// The members, if this is an object.
  public var object: JSONObject? { if case .object(let value) = self { value } else { nil } }

  /// The member `key` of an object; nil if there is none or this is not an object.
  public subscript(key: String) -> JSON? {
    get { object?[key] }
    set {
      guard case .object(var members) = self else { return }
      self = .null
      members[key] = newValue
      self = .object(members)
    }
  }

  /// The kind of this value for messages: `a string`, `an object` …
  public var kind: String {
    switch self {
    case .null: "null"
    case .bool: "a boolean"
    case .int: "an integer"
    case .double: "a number"
    case .string: "a string"
    case .array: "a list"
    case .object: "an object"
    }
  }
}

// MARK: - Literals

extension JSON: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByFloatLiteral, ExpressibleByStringLiteral, ExpressibleByArrayLiteral,
  ExpressibleByDictionaryLiteral
{
  /// Creates `null`.
  public init(nilLiteral: ()) { self = .null }
  /// Creates `true` or `false`.
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  /// Creates a number that is written as an integer.
  public init(integerLiteral value: Int) { self = .int(value) }
  /// Creates a number that is written with a fraction or an exponent.
  public init(floatLiteral value: Double) { self = .double(value) }
  /// Creates a text.
  public init(stringLiteral value: String) { self = .string(value) }
  /// Creates a list.
  public init(arrayLiteral elements: JSON...) { self = .array(elements) }
  /// Creates an object; if a key repeats, the last value counts.
  public init(dictionaryLiteral elements: (String, JSON)...) {
    self = .object(JSONObject(elements.lazy.map { (key: $0.0, value: $0.1) }))
  }
}
