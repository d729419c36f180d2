import Formats

/// The id of a query, clip or question.
///
/// Stores use text as keys. Result files write a number if the annotation's id is a number
/// (`desc_id` 165), else text. Both forms of a number are the same id.
public struct QueryID: Hashable, Sendable, CustomStringConvertible, ExpressibleByStringLiteral {
  /// The id as text, as the stores key it.
  public let text: String

  /// Creates the id from a store's key, "165" for a number.
  public init(_ text: String) {
    self.text = text
  }

  /// Creates the id from a literal in the form of a store's key.
  public init(stringLiteral text: String) {
    self.text = text
  }

  /// Reads the id from a JSON value, nil for anything but text and whole numbers.
  public init?(_ json: JSON?) {
    guard let text = json?.string ?? json?.whole.map(String.init) else { return nil }
    self.text = text
  }

  /// Reads the id in a row, under the first of these keys that the row has.
  ///
  /// - Throws: `DataError` if the row has none of the keys, or something else under it.
  public init(in row: JSON, _ keys: String...) throws(DataError) {
    guard let key = keys.first(where: { row[$0].map { !$0.isNull } ?? false }), let value = row[key] else {
      throw DataError("the row has no \"\(keys[0])\"")
    }
    guard let id = QueryID(value) else {
      throw DataError(
        "\"\(key)\" is \(value.shown), not an id",
        cure: "Write ids as texts or whole numbers")
    }
    self = id
  }

  /// The id as a number if the text is one as JSON prints it, else as text.
  public var json: JSON {
    if let number = Int(text), String(number) == text { return .int(number) }
    return .string(text)
  }

  /// The id as stores key it.
  public var description: String { text }

  /// Compares bytes, so that a number and its text are one id.
  public static func == (a: QueryID, b: QueryID) -> Bool { a.text.hasSameBytes(as: b.text) }

  /// Hashes the bytes, in agreement with equality.
  public func hash(into hasher: inout Hasher) { Name(text).hash(into: &hasher) }
}
