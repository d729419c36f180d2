import Formats

/// The fields of an entry of `targets` or of VALUE's datasets; errors name the entry's place.
struct EntryFields {
  let json: JSON
  let place: String

  func value<Value: ConfigurationValue>(_ key: String, _ type: Value.Type) throws -> Value {
    guard let value = try optional(key, type) else {
      throw wrong(key, Value.expectation)
    }
    return value
  }

  /// Returns whether the key is present and not `null`, as it may be in VALUE's files.
  func has(_ key: String) -> Bool { json[key] ?? .null != .null }

  /// Reads a field; nil if the key is missing, or `null` as in VALUE's files.
  func optional<Value: ConfigurationValue>(_ key: String, _ type: Value.Type) throws -> Value? {
    guard has(key), let field = json[key] else { return nil }
    guard let value = Value(json: field) else { throw wrong(key, Value.expectation) }
    return value
  }

  /// - Throws: `DataError` if the value breaks the requirement.
  func require<Value>(_ value: Value, _ requirement: Requirement<Value>, _ key: String) throws {
    guard requirement.holds(value) else { throw wrong(key, requirement.expectation) }
  }

  /// Warns of keys that nothing reads.
  func warn(_ warn: (String) -> Void, unless known: [String]) {
    for key in json.object?.map(\.key) ?? [] where !known.contains(key) {
      let hint = nearestName(to: key, among: known).map { "; did you mean \"\($0)\"?" } ?? ""
      warn("\(place): unknown key \"\(key)\" has no effect\(hint)")
    }
  }

  func wrong(_ key: String, _ expectation: String) -> DataError {
    let found = json[key].map { "not " + $0.shown } ?? "and is missing"
    return DataError("must be \(expectation), \(found)", place: "key \"\(place).\(key)\"")
  }
}
