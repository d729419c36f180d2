import FlyingFox
import Formats
import Foundation
import Search

/// The parameters of a request's address, read strictly.
struct RequestParameters: Sendable {
  private let items: [(name: String, value: String)]

  /// - Throws: `RefusedRequest` for what is no percent-encoded UTF-8.
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

  /// The query `q`, or a question.
  func query() throws -> String { try Self.checked(self["q"] ?? "", "the query") }

  /// All values of a name, each as long as a query at most.
  /// - Parameter kind: what one is called in messages.
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

  /// The moment from `start` to `end`, in seconds; nil where neither is given.
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
