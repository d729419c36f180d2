import FlyingFox
import Formats
import Foundation
import Search

/// The parameters of a request's address, parsed strictly.
struct RequestParameters: Sendable {
  private let items: [(name: String, value: String)]

  /// Parses the parameters of a request.
  ///
  /// - Throws: `RefusedRequest` for values that are not percent-encoded UTF-8.
  init(_ request: HTTPRequest) throws {
    items = try request.target.query().split(separator: "&").map { item in
      let parts = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let text = parts.count > 1 ? parts[1].replacing("+", with: "%20") : ""
      guard let value = text.removingPercentEncoding else {
        throw RefusedRequest(status: 400, reason: "\"\(parts[0])\" is not UTF-8, percent-encoded")
      }
      return (String(parts[0]), value)
    }
  }

  /// The first value of a name.
  subscript(_ name: String) -> String? { items.first { $0.name == name }?.value }

  /// Returns the query or question `q`.
  func query() throws -> String { try Self.checked(self["q"] ?? "", "the query") }

  /// Returns all values of a name, each at most as long as a query.
  /// - Parameter kind: the name of a value in messages.
  func texts(_ name: String, _ kind: String) throws -> [String] {
    try items.filter { $0.name == name }.map { try Self.checked($0.value, kind) }
  }

  private static func checked(_ text: String, _ kind: String) throws -> String {
    guard !text.allSatisfy(\.isWhitespace) else {
      throw RefusedRequest(status: 400, reason: "\(kind) is empty")
    }
    guard text.utf8.count <= MomentSearcher.longestQuery else {
      throw RefusedRequest(
        status: 400, reason: "\(kind) has more than \(MomentSearcher.longestQuery) bytes")
    }
    return text
  }

  func number(_ name: String) throws -> Int? {
    guard let text = self[name] else { return nil }
    guard let number = Int(text), number >= 0 else {
      throw RefusedRequest(status: 400, reason: "\"\(name)\" is no number")
    }
    return number
  }

  /// Returns the moment from `start` to `end`, in seconds; nil if neither is given.
  func span() throws -> TimeSpan? {
    let (start, end) = (self["start"], self["end"])
    if start == nil, end == nil { return nil }
    guard let start = start.flatMap(Double.init), let end = end.flatMap(Double.init), start >= 0, start < end,
      TimeSpan.isTime(end)
    else {
      throw RefusedRequest(status: 400, reason: "\"start\" and \"end\" are no moment, in seconds")
    }
    return TimeSpan(start: start, end: end)
  }
}
