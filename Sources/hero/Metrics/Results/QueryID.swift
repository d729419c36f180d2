import Formats

/// The id of a query, clip or question.
///
/// Stores key by text; result files write a number where the annotation's id was one (`desc_id` 165) and
/// text otherwise. Both forms of one number are the same id.
public struct QueryID: Hashable, Sendable, CustomStringConvertible, ExpressibleByStringLiteral {
  /// The id as text, as the stores key it.
  public let text: String

  public init(_ text: String) {
    self.text = text
  }

  public init(stringLiteral text: String) {
    self.text = text
  }

  /// The id that a JSON value holds, or nil for anything but text and whole numbers.
  public init?(_ json: JSON?) {
    switch json {
    case .string(let text): self.text = text
    case .int(let number): text = String(number)
    default: return nil
    }
  }

  /// A number where the text is one as JSON would print it, else the text.
  public var json: JSON {
    if let number = Int(text), String(number) == text { return .int(number) }
    return .string(text)
  }

  public var description: String { text }

  public static func == (a: QueryID, b: QueryID) -> Bool { a.text.hasSameBytes(as: b.text) }

  public func hash(into hasher: inout Hasher) { Name(text).hash(into: &hasher) }
}
