import FlyingFox
import Formats
import Foundation

extension HTTPResponse {
  /// A JSON answer; none is kept by anybody, as the next may differ.
  init(statusCode: HTTPStatusCode = .ok, json: JSON) {
    self.init(
      statusCode: statusCode,
      headers: [.contentType: "application/json; charset=utf-8", .cacheControl: "no-store"],
      body: Data(Self.finite(json).encodedBytes()))
  }

  /// JSON has no not-a-numbers.
  private static func finite(_ json: JSON) -> JSON {
    switch json {
    case .double(let value) where !value.isFinite: .null
    case .array(let elements): .array(elements.map(finite))
    case .object(let members): .object(JSONObject(members.map { (key: $0.key, value: finite($0.value)) }))
    default: json
    }
  }
}

/// A file as an answer, whole or in part (RFC 9110 §14).
enum FileAnswer {
  /// Whether a file is there with the size that it had.
  static func isUnchanged(_ path: String, size: Int) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG && Int(status.st_size) == size
  }

  /// - Parameters:
  ///   - size: the bytes that the file must have; another size means that it is another file by now.
  /// - Throws: `RefusedRequest` where it is gone or has changed, or the range lies outside.
  static func response(
    _ path: String, size: Int, to request: HTTPRequest, chunk: Int
  ) throws -> HTTPResponse {
    var status = stat()
    guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw RefusedRequest(status: 404, reason: "the video's file is no longer there")
    }
    guard Int(status.st_size) == size else {
      throw RefusedRequest(status: 404, reason: "the video's file has changed since it was indexed")
    }
    var headers: HTTPHeaders = [
      .contentType: contentType(of: path), .acceptRanges: "bytes", .cacheControl: "private, no-cache",
    ]
    let url = URL(fileURLWithPath: path)
    guard let wish = request.headers[.range], let range = range(wish, size: size) else {
      return HTTPResponse(
        statusCode: .ok, headers: headers, body: try HTTPBodySequence(file: url, suggestedBufferSize: chunk))
    }
    guard !range.isEmpty else {
      headers[.contentRange] = "bytes */\(size)"
      return HTTPResponse(statusCode: .rangeNotSatisfiable, headers: headers)
    }
    headers[.contentRange] = "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(size)"
    return HTTPResponse(
      statusCode: .partialContent, headers: headers,
      body: try HTTPBodySequence(file: url, range: range, suggestedBufferSize: chunk))
  }

  /// The bytes of `bytes=a-b`, `bytes=a-` or `bytes=-n`; empty where they lie outside; nil where it is malformed or asks for
  /// several ranges, which means the whole file.
  static func range(_ text: String, size: Int) -> Range<Int>? {
    guard let match = text.wholeMatch(of: /bytes=([0-9]{0,18})-([0-9]{0,18})/) else { return nil }
    switch (Int(match.1), Int(match.2)) {
    case (nil, nil): return nil
    case (nil, let last?): return max(0, size - last)..<size
    case (let first?, nil): return first < size ? first..<size : 0..<0
    case (let first?, let last?):
      guard first <= last else { return nil }
      return first < size ? first..<min(size, last + 1) : 0..<0
    }
  }

  private static func contentType(of path: String) -> String {
    switch (path as NSString).pathExtension.lowercased() {
    case "mp4", "m4v": "video/mp4"
    case "webm": "video/webm"
    case "mkv": "video/x-matroska"
    case "mov": "video/quicktime"
    case "ogv": "video/ogg"
    default: "application/octet-stream"
    }
  }
}
