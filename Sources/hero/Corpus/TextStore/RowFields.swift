import Formats

/// Checked access to the fields of an annotation's row.
extension JSONObject {
  /// Returns a required text.
  func text(_ key: String) throws -> String {
    guard let value = self[key] else { throw BadRow("no \"\(key)\"") }
    guard let text = value.string else { throw BadRow("\"\(key)\" is \(value.kind), not text") }
    return text
  }

  /// Returns a text that may be missing or null.
  func optionalText(_ key: String) throws -> String? {
    guard let value = self[key], !value.isNull else { return nil }
    return try text(key)
  }

  /// Returns an id, an integer or a text, as the key of an LMDB store.
  func id(_ keys: String...) throws -> String {
    guard let key = keys.first(where: { self[$0] != nil }), let value = self[key] else {
      throw BadRow("no \"\(keys[0])\"")
    }
    return try StoreKey.checked(value, name: key)
  }

  /// Returns a required finite number.
  func number(_ key: String) throws -> Double {
    guard let value = self[key] else { throw BadRow("no \"\(key)\"") }
    guard let number = value.double, number.isFinite else {
      throw BadRow("\"\(key)\" is \(value.shown), not a number")
    }
    return number
  }
}

extension JSONObject {
  /// Returns a required time or length in seconds, 0 or more.
  func seconds(_ key: String) throws -> Double {
    let seconds = try number(key)
    guard seconds >= 0, TimeSpan.isTime(seconds) else {
      throw BadRow("\"\(key)\" is \(seconds), no length in seconds")
    }
    return seconds
  }
}

/// The check of ids that become keys of an LMDB store.
enum StoreKey {
  static func checked(_ value: JSON, name: String) throws(BadRow) -> String {
    guard let key = value.string ?? value.whole.map(String.init) else {
      throw BadRow("\"\(name)\" is \(value.shown), not an id: a text or a whole number")
    }
    return try checked(key, name: name)
  }

  @discardableResult
  static func checked(_ key: String, name: String) throws(BadRow) -> String {
    guard (1...511).contains(key.utf8.count) else {
      throw BadRow("\"\(name)\" has \(key.utf8.count) bytes; a store's key has 1 to 511")
    }
    return key
  }
}

/// A moment's start and end in seconds.
enum Moment {
  /// Checks that a value is a pair of times in order.
  static func check(_ value: JSON, name: String) throws {
    guard TimeSpan(value) != nil else {
      throw BadRow("\"\(name)\" is \(value.shown), not [start, end] in seconds")
    }
  }

  /// Checks the moment of a question: a pair, a text "start-end", or null.
  ///
  /// TVQA writes "nan-nan" for an unmarked moment, which readers treat as none.
  static func checkedOrNone(_ value: JSON?, name: String) throws -> JSON {
    guard let value, !value.isNull else { return .null }
    guard let text = value.string else {
      try check(value, name: name)
      return value
    }
    guard TimeSpan(text) != nil || TimeSpan.isUnmarked(text) else {
      throw BadRow("\"\(name)\" is \"\(text)\", not \"start-end\" in seconds, the start first")
    }
    return value
  }

  /// Checks a pair of numbers, or the pairs that several annotators gave.
  static func checkOneOrMore(_ value: JSON, name: String) throws {
    guard let elements = value.array, let first = elements.first, first.array != nil else {
      return try check(value, name: name)
    }
    for element in elements { try check(element, name: name) }
  }
}
