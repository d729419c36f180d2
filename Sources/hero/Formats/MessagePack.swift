/// A MessagePack value; maps keep the order of their pairs.
public enum MessagePack: Sendable {
  case `nil`
  case bool(Bool)
  case int(Int)
  /// An integer that does not fit `Int`; smaller ones are always decoded as `int`.
  case uint(UInt64)
  case float(Float)
  case double(Double)
  case string(String)
  /// Bytes, or a string that is not UTF-8, because the old format had one type for both.
  case binary([UInt8])
  case array([MessagePack])
  case map([(key: MessagePack, value: MessagePack)])
  case ext(Int8, [UInt8])
}

// MARK: - Access

extension MessagePack {
  /// Whether it is MessagePack's nil; an absent entry is Swift's nil instead.
  public var isNil: Bool { if case .nil = self { true } else { false } }

  /// The value, if this is a boolean.
  public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }

  /// The number, if this is an integer that fits `Int`; a larger one has a case of its own.
  public var int: Int? { if case .int(let value) = self { value } else { nil } }

  /// The number as a double, whether it is an integer or not.
  public var double: Double? {
    switch self {
    case .int(let value): Double(value)
    case .uint(let value): Double(value)
    case .float(let value): Double(value)
    case .double(let value): value
    default: nil
    }
  }

  /// The text of a string, or of bytes that are UTF-8.
  public var string: String? {
    switch self {
    case .string(let value): value
    case .binary(let value): String(validating: value, as: UTF8.self)
    default: nil
    }
  }

  /// The bytes of a binary or a string.
  public var bytes: [UInt8]? {
    switch self {
    case .string(let value): Array(value.utf8)
    case .binary(let value): value
    default: nil
    }
  }

  /// The elements, if this is an array.
  public var array: [MessagePack]? { if case .array(let value) = self { value } else { nil } }

  /// The pairs in their order, if this is a map. Keys may repeat.
  public var map: [(key: MessagePack, value: MessagePack)]? {
    if case .map(let value) = self { value } else { nil }
  }

  /// The value of the first pair of a map whose key is `key`, as a string or as bytes.
  public subscript(key: String) -> MessagePack? {
    map?.first { $0.key.string == key }?.value
  }

  /// The JSON value with the same content; nil if there is none.
  ///
  /// Bytes must be UTF-8, and keys must be strings or integers.
  public var json: JSON? {
    switch self {
    case .nil: return .null
    case .bool(let value): return .bool(value)
    case .int(let value): return .int(value)
    case .uint(let value): return .double(Double(value))
    case .float(let value): return .double(Double(value))
    case .double(let value): return .double(value)
    case .string(let value): return .string(value)
    case .binary: return string.map(JSON.string)
    case .array(let elements):
      let values = elements.compactMap(\.json)
      return values.count == elements.count ? .array(values) : nil
    case .map(let pairs):
      var object = JSONObject()
      for (key, value) in pairs {
        guard let name = key.string ?? key.int.map(String.init), let value = value.json else { return nil }
        object[name] = value
      }
      return .object(object)
    case .ext: return nil
    }
  }

  /// Creates the value with the content of `json`.
  public init(_ json: JSON) {
    self =
      switch json {
      case .null: .nil
      case .bool(let value): .bool(value)
      case .int(let value): .int(value)
      case .double(let value): .double(value)
      case .string(let value): .string(value)
      case .array(let values): .array(values.map { MessagePack($0) })
      case .object(let members): .map(members.map { (.string($0.key), MessagePack($0.value)) })
      }
  }
}
