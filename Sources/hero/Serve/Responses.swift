import FlyingFox
import FlyingSocks
import Formats
import Foundation
import Search

extension HTTPResponse {
  /// Creates a JSON answer that clients must not cache, as the next one may differ.
  init(statusCode: HTTPStatusCode = .ok, json: JSON) {
    self.init(
      statusCode: statusCode,
      headers: [.contentType: "application/json; charset=utf-8", .cacheControl: "no-store"],
      body: Data(Self.finite(json).encodedBytes()))
  }

  /// Replaces NaN and infinity by null, as JSON has neither.
  private static func finite(_ json: JSON) -> JSON {
    switch json {
    case .double(let value) where !value.isFinite: .null
    case .array(let elements): .array(elements.map(finite))
    case .object(let members): .object(JSONObject(members.map { (key: $0.key, value: finite($0.value)) }))
    default: json
    }
  }
}

/// A video's file, opened once, so that the file that was checked is the one that is sent.
final class OpenedFile: Sendable {
  let descriptor: Int32
  let size: Int
  /// The entity tag, which differs for another or a changed file (RFC 9110 §8.8.3).
  let tag: String

  /// Opens a file and compares it with the indexed one.
  ///
  /// - Parameter file: the file that was indexed. A file of another size has changed, and so has
  ///   one that differs in both time and content.
  /// - Throws: `RefusedRequest` if the file is missing, has changed or is not a plain file.
  init(_ file: IndexedVideo.MediaFile) throws {
    // Without O_NONBLOCK, opening a pipe would wait for a writer.
    let descriptor = open(file.path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    self.descriptor = descriptor
    size = file.size
    var status = stat()
    let isPlain = descriptor >= 0 && fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    let parts = [
      Int(status.st_size), status.st_mtim.tv_sec, status.st_mtim.tv_nsec, Int(bitPattern: status.st_ino),
    ]
    tag = "\"\(parts.map { String($0, radix: 36) }.joined(separator: "-"))\""
    guard isPlain else {
      throw RefusedRequest(status: 404, reason: "the video's file is no longer there")
    }
    guard file.isOpen(as: descriptor, status) else {
      throw RefusedRequest(status: 404, reason: "the video's file has changed since it was indexed")
    }
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// Reads bytes at an offset; fewer if the file has been truncated, none at its end.
  func bytes(at place: Int, count: Int) throws -> Data {
    var data = Data(count: count)
    let file = OpenFile(descriptor, path: "the video's file")
    let read = try data.withUnsafeMutableBytes { try file.read(into: $0, at: place) }
    return data.prefix(read)
  }

  /// Some bytes of the file, read while they are sent.
  struct Bytes: AsyncBufferedSequence {
    typealias Element = UInt8
    let file: OpenedFile
    let range: Range<Int>

    func makeAsyncIterator() -> Iterator {
      Iterator(file: file, place: range.lowerBound, end: range.upperBound)
    }

    struct Iterator: AsyncBufferedIteratorProtocol {
      let file: OpenedFile
      var place: Int
      let end: Int

      mutating func next() async throws -> UInt8? { try await nextBuffer(suggested: 1)?.first }

      mutating func nextBuffer(suggested count: Int) async throws -> Data? {
        guard place < end else { return nil }
        let data = try file.bytes(at: place, count: Swift.min(count, end - place))
        // The client was promised more bytes. Only closing the connection tells it that they will
        // not come.
        guard !data.isEmpty else { throw DataError("the video's file ends too early") }
        place += data.count
        return data
      }
    }
  }
}

/// An answer that sends a file, whole or in part (RFC 9110 §14).
enum FileAnswer {
  /// Returns the whole file, the requested range, or 304 if the client already has the file.
  ///
  /// If the client names the file of its earlier ranges (`If-Range`), a range is sent only of that
  /// file.
  ///
  /// - Parameters:
  ///   - media: the file that was indexed.
  ///   - isDownload: whether the browser saves the file instead of playing it.
  /// - Throws: `RefusedRequest` if the file is missing or has changed.
  static func response(
    _ media: IndexedVideo.MediaFile, to request: HTTPRequest, chunk: Int, isDownload: Bool = false
  ) throws -> HTTPResponse {
    let file = try OpenedFile(media)
    let (path, size) = (media.path, media.size)
    var headers: HTTPHeaders = [
      .contentType: contentType(of: path), .acceptRanges: "bytes", .cacheControl: "private, no-cache",
      HTTPHeader("ETag"): file.tag,
    ]
    if let known = request.headers[HTTPHeader("If-None-Match")], names(file.tag, in: known) {
      return HTTPResponse(statusCode: HTTPStatusCode(304, phrase: "Not Modified"), headers: headers)
    }
    if isDownload {
      headers[HTTPHeader("Content-Disposition")] = attachment((path as NSString).lastPathComponent)
    }
    func body(_ range: Range<Int>) -> HTTPBodySequence {
      HTTPBodySequence(
        from: OpenedFile.Bytes(file: file, range: range), count: range.count, suggestedBufferSize: chunk)
    }
    let isSame = request.headers[HTTPHeader("If-Range")].map { $0 == file.tag } ?? true
    guard isSame, let wish = request.headers[.range], let range = range(wish, size: size) else {
      return HTTPResponse(statusCode: .ok, headers: headers, body: body(0..<size))
    }
    guard !range.isEmpty else {
      headers[.contentRange] = "bytes */\(size)"
      return HTTPResponse(statusCode: .rangeNotSatisfiable, headers: headers)
    }
    headers[.contentRange] = "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(size)"
    return HTTPResponse(statusCode: .partialContent, headers: headers, body: body(range))
  }

  /// Returns whether an `If-None-Match` lists a tag, where a weak tag also counts.
  private static func names(_ tag: String, in list: String) -> Bool {
    list.split(separator: ",").contains {
      let other = $0.trimmingCharacters(in: .whitespaces)
      return other == "*" || other == tag || other == "W/" + tag
    }
  }

  /// Returns the `Content-Disposition` that makes a browser save an answer under a name (RFC 6266).
  static func attachment(_ name: String) -> String {
    let allowed = CharacterSet(
      charactersIn: "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~")
    return
      "attachment; filename*=UTF-8''\(name.addingPercentEncoding(withAllowedCharacters: allowed) ?? "video")"
  }

  /// Returns the bytes of `bytes=a-b`, `bytes=a-` or `bytes=-n`; an empty range if they lie
  /// outside.
  ///
  /// Returns nil, meaning the whole file, if the text is malformed or asks for several ranges.
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

  static func contentType(of path: String) -> String {
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
