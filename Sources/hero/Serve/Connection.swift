import FlyingFox
import FlyingSocks
import Foundation

/// The connection of one client, from its first request to its last.
///
/// FlyingFox's own loop reads heads of any length and waits forever. This one limits every wait and
/// every size.
struct Connection: Sendable {
  let socket: AsyncSocket
  let handler: any HTTPHandler
  let limits: ServerLimits

  /// Answers requests until the client leaves, is too slow or sends an invalid request.
  ///
  /// The caller closes the socket.
  func serve(as place: OpenConnections.Place) async {
    var rest: [UInt8] = []
    do {
      while true {
        place.waits()
        guard let (head, more) = try await nextHead(after: rest) else { break }
        place.works()
        rest = more
        let request = try RequestHead.parse(head[...], limits: limits)
        let response = await answer(request)
        let staysOpen = request.wantsMore
        try await send(response, to: request, staysOpen: staysOpen, place)
        if !staysOpen { break }
      }
    } catch let refused as RefusedRequest {
      // The rest of what the client sends is not read.
      try? await send(HTTPResponse(refused), to: nil, staysOpen: false, place)
    } catch {
      // The client has left, or did not accept its answer in time.
    }
  }

  /// Tells a client that the server is full, and closes the connection.
  func refuse() async {
    let response = HTTPResponse(RefusedRequest(status: 503, reason: "there are too many connections"))
    try? await send(response, to: nil, staysOpen: false)
    try? socket.close()
  }

  private func answer(_ request: HTTPRequest) async -> HTTPResponse {
    do {
      return try await handler.handleRequest(request)
    } catch let refused as RefusedRequest {
      return HTTPResponse(refused)
    } catch {
      return HTTPResponse(RefusedRequest(status: 500, reason: "the request failed: \(error)"))
    }
  }

  /// Reads the bytes of the next head and those that came after it; nil if the client has left.
  private func nextHead(after rest: [UInt8]) async throws -> (head: [UInt8], rest: [UInt8])? {
    do {
      return try await within(limits.requestSeconds) { [socket, limits] in
        var bytes = rest
        var searched = 0
        while true {
          if let end = RequestHead.end(in: bytes, from: searched), end <= limits.headBytes {
            return (Array(bytes[..<end]), Array(bytes[end...]))
          }
          guard bytes.count <= limits.headBytes else {
            throw RefusedRequest(status: 431, reason: "the request's headers are too long")
          }
          // A TLS handshake contains no head, so waiting for its end would take until the timeout.
          guard bytes.first != 0x16 else {
            throw RefusedRequest(status: 400, reason: "this server speaks http://, not https://")
          }
          searched = bytes.count
          do {
            bytes += try await socket.read(atMost: 4096)
          } catch SocketError.disconnected {
            guard bytes.isEmpty else {
              throw RefusedRequest(status: 400, reason: "the request ends too early")
            }
            return nil
          }
        }
      }
    } catch is TooSlow {
      guard rest.isEmpty else { throw RefusedRequest(status: 408, reason: "the request took too long") }
      return nil
    }
  }

  /// Sends a response, with its head and first part in one write.
  ///
  /// On a kept connection, a second write waits for the client's delayed acknowledgement (40 ms).
  private func send(
    _ response: HTTPResponse, to request: HTTPRequest?, staysOpen: Bool, _ place: OpenConnections.Place? = nil
  ) async throws {
    var head = "HTTP/1.1 \(response.statusCode.code) \(response.statusCode.phrase)\r\n"
    let body: HTTPBodySequence? = if case .httpBody(let body) = response.payload { body } else { nil }
    var headers = response.headers
    if headers[.contentLength] == nil { headers[.contentLength] = String(body?.count ?? 0) }
    headers[.connection] = staysOpen ? "keep-alive" : "close"
    headers[HTTPHeader("X-Content-Type-Options")] = "nosniff"
    headers[HTTPHeader("Referrer-Policy")] = "no-referrer"
    headers[HTTPHeader("Cross-Origin-Resource-Policy")] = "same-origin"
    headers[HTTPHeader("Content-Security-Policy")] =
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; "
      + "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    for (name, value) in headers { head += "\(name.rawValue): \(value)\r\n" }
    var part = Data((head + "\r\n").utf8)
    if let body, request?.method != .HEAD {
      for try await chunk in body {
        try await write(part + chunk, place)
        part = Data()
      }
    }
    try await write(part, place)
  }

  private func write(_ data: Data, _ place: OpenConnections.Place?) async throws {
    guard !data.isEmpty else { return }
    place?.waits()
    defer { place?.works() }
    try await within(limits.sendSeconds) { [socket] in try await socket.write(data) }
  }
}

/// The error of work that exceeds its time limit.
struct TooSlow: Error {}

/// Returns the result of `work`, or throws `TooSlow` after so many seconds.
func within<Result: Sendable>(
  _ seconds: Double, _ work: @escaping @Sendable () async throws -> Result
) async throws -> Result {
  try await withThrowingTaskGroup(of: Result.self) { group in
    group.addTask { try await work() }
    group.addTask {
      try await Task.sleep(for: .seconds(seconds))
      throw TooSlow()
    }
    defer { group.cancelAll() }
    guard let result = try await group.next() else { throw TooSlow() }
    return result
  }
}

extension HTTPResponse {
  /// Creates a JSON response that says why a request is refused.
  init(_ refused: RefusedRequest) {
    self.init(
      statusCode: HTTPStatusCode(refused.status, phrase: Self.phrase(refused.status)),
      json: ["error": .string(refused.reason)])
    if refused.status == 503 { headers[HTTPHeader("Retry-After")] = "1" }
    if refused.status == 405 { headers[HTTPHeader("Allow")] = "GET, HEAD" }
  }

  private static func phrase(_ status: Int) -> String {
    switch status {
    case 400: "Bad Request"
    case 403: "Forbidden"
    case 404: "Not Found"
    case 405: "Method Not Allowed"
    case 408: "Request Timeout"
    case 413: "Content Too Large"
    case 414: "URI Too Long"
    case 416: "Range Not Satisfiable"
    case 421: "Misdirected Request"
    case 422: "Unprocessable Content"
    case 431: "Request Header Fields Too Large"
    case 503: "Service Unavailable"
    default: "Internal Server Error"
    }
  }
}
