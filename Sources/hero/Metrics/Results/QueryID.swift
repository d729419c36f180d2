import Formats

/// The id of a query, clip or question.
///
/// Stores key by text; result files write a number where the annotation's id was one (`desc_id`
/// 165) and text otherwise. Both forms of one number are the same id.
public struct QueryID: Hashable, Sendable, CustomStringConvertible, ExpressibleByStringLiteral {
  /// The id as text, as the stores key it.
  public let text: String

  /// Takes the id as stores key it, "165" for a number.
  public init(_ text: String) {
    self.text = text
  }

  /// Takes the literal as stores key it.
  public init(stringLiteral text: String) {
    self.text = text
  }

  /// The id that a JSON value holds, or nil for anything but text and whole numbers.
  public init?(_ json: JSON?) {
    guard let text = json?.string ?? json?.whole.map(String.init) else { return nil }
    self.text = text
  }

  /// The id in a row, under the first of some keys that it has.
  /// - Throws: `DataError` for a row that has none, or something else under that key.
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

  /// A number where the text is one as JSON would print it, else the text.
  public var json: JSON {
    if let number = Int(text), String(number) == text { return .int(number) }
    return .string(text)
  }

  /// The id as stores key it.
  public var description: String { text }

  /// By bytes, so that a number and its text are one id.
  public static func == (a: QueryID, b: QueryID) -> Bool { a.text.hasSameBytes(as: b.text) }

  /// Over the bytes, so that it agrees with equality.
  public func hash(into hasher: inout Hasher) { Name(text).hash(into: &hasher) }
}
