import FlyingFox
import Foundation

/// The error of a request that the server refuses.
struct RefusedRequest: Error, Equatable {
  var status: Int
  var reason: String
}

/// Parses the first line and the headers of a request strictly (RFC 9112).
///
/// It refuses everything that is not clearly valid.
enum RequestHead {
  /// Returns the end of the empty line that ends a head; nil if the head is incomplete.
  /// - Parameter from: where the search begins.
  static func end(in bytes: [UInt8], from start: Int) -> Int? {
    var place = max(0, start - 3)
    while place < bytes.count {
      if bytes[place] == 0x0A {
        if place + 1 < bytes.count, bytes[place + 1] == 0x0A { return place + 2 }
        if place + 2 < bytes.count, bytes[place + 1] == 0x0D, bytes[place + 2] == 0x0A { return place + 3 }
      }
      place += 1
    }
    return nil
  }

  /// Parses a head into a request.
  ///
  /// Refuses a request that announces a body.
  static func parse(_ bytes: ArraySlice<UInt8>, limits: ServerLimits) throws -> HTTPRequest {
    var lines = bytes.split(separator: 0x0A, omittingEmptySubsequences: false).map { line in
      line.last == 0x0D ? line.dropLast() : line
    }[...]
    // Empty lines before a request are skipped.
    while lines.first?.isEmpty == true { lines.removeFirst() }
    guard let first = lines.popFirst() else {
      throw RefusedRequest(status: 400, reason: "there is no request")
    }
    let words = first.split(separator: 0x20, omittingEmptySubsequences: false)
    guard words.count == 3, isToken(words[0]),
      words[2] == Array("HTTP/1.1".utf8)[...] || words[2] == Array("HTTP/1.0".utf8)[...]
    else { throw RefusedRequest(status: 400, reason: "the request's first line is malformed") }
    // Methods are case-sensitive.
    guard words[0].allSatisfy({ !(0x61...0x7A).contains($0) }) else {
      throw RefusedRequest(status: 405, reason: "only GET and HEAD are answered")
    }
    guard words[1].count <= limits.targetBytes else {
      throw RefusedRequest(status: 414, reason: "the address is too long")
    }
    guard words[1].first == UInt8(ascii: "/"), words[1].allSatisfy({ (0x21...0x7E).contains($0) }) else {
      throw RefusedRequest(status: 400, reason: "the address is malformed")
    }
    let headers = try headers(lines, limits)
    guard headers[.transferEncoding] == nil, headers[.contentLength] ?? "0" == "0" else {
      throw RefusedRequest(status: 413, reason: "requests have no body here")
    }
    guard words[2].last != UInt8(ascii: "1") || headers[.host] != nil else {
      throw RefusedRequest(status: 400, reason: "the request names no Host")
    }
    let target = String(decoding: words[1], as: UTF8.self)
    let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    return HTTPRequest(
      method: HTTPMethod(String(decoding: words[0], as: UTF8.self)),
      version: words[2].last == UInt8(ascii: "1") ? .http11 : HTTPVersion("HTTP/1.0"),
      target: HTTPRequest.Target(path: String(parts[0]), query: parts.count > 1 ? String(parts[1]) : ""),
      headers: headers, body: HTTPBodySequence())
  }

  private static func headers(
    _ lines: ArraySlice<ArraySlice<UInt8>>, _ limits: ServerLimits
  ) throws -> HTTPHeaders {
    var headers = HTTPHeaders()
    var count = 0
    for line in lines where !line.isEmpty {
      count += 1
      guard count <= limits.headers else {
        throw RefusedRequest(status: 431, reason: "there are too many headers")
      }
      let parts = line.split(separator: UInt8(ascii: ":"), maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, isToken(parts[0]),
        parts[1].allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }),
        let value = String(validating: parts[1], as: UTF8.self)
      else { throw RefusedRequest(status: 400, reason: "a header is malformed") }
      let name = HTTPHeader(String(decoding: parts[0], as: UTF8.self))
      guard headers[name] == nil || ![.contentLength, .host, .range].contains(name) else {
        throw RefusedRequest(status: 400, reason: "a header occurs twice")
      }
      headers.addValue(value.trimmingCharacters(in: .whitespaces), for: name)
    }
    return headers
  }

  private static func isToken(_ bytes: ArraySlice<UInt8>) -> Bool {
    let others = Set("!#$%&'*+-.^_`|~".utf8)
    return !bytes.isEmpty && bytes.count <= 64
      && bytes.allSatisfy {
        (0x30...0x39).contains($0) || (0x41...0x5A).contains($0 & 0xDF) && $0 < 0x80 || others.contains($0)
      }
  }
}

extension HTTPRequest {
  /// Whether the connection stays open after the answer.
  var wantsMore: Bool {
    let wish = headers[.connection]?.lowercased() ?? ""
    return version == .http11 ? !wish.contains("close") : wish.contains("keep-alive")
  }
}
