import FlyingFox
import Foundation
import Synchronization

/// What answers while an index is opened, which may take a minute: that it is, and to ask again.
/// Then the site itself answers.
public final class OpeningSite: HTTPHandler {
  private let site = Mutex<SearchSite?>(nil)

  /// Nothing is open yet.
  public init() {}

  /// From here on the site answers.
  public func open(_ site: SearchSite) { self.site.withLock { $0 = site } }

  /// 503 with `Retry-After`, for browsers a page that loads itself again, until the site answers.
  ///
  /// - Throws: `RefusedRequest` with the status and the reason that the client gets.
  public func handleRequest(_ request: HTTPRequest) async throws -> HTTPResponse {
    if let site = site.withLock({ $0 }) { return try await site.handleRequest(request) }
    let refusal = RefusedRequest(status: 503, reason: "the index is being opened; ask again")
    guard request.target.path() == "/" else { throw refusal }
    var response = HTTPResponse(refusal)
    response.headers[.contentType] = "text/html; charset=utf-8"
    response.headers[.cacheControl] = "no-store"
    response.payload = .httpBody(HTTPBodySequence(data: Data(Self.page.utf8)))
    return response
  }

  private static let page = """
    <!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="1">\
    <title>hero</title><p>The index is being opened …</p></html>

    """
}
