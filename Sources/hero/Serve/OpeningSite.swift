import FlyingFox
import Foundation
import Synchronization

/// Tells clients to retry while an index is being opened, which may take a minute.
///
/// Then it passes requests to the site itself.
public final class OpeningSite: HTTPHandler {
  private let site = Mutex<SearchSite?>(nil)

  /// Creates a site without an index.
  public init() {}

  /// Passes all later requests to the site.
  public func open(_ site: SearchSite) { self.site.withLock { $0 = site } }

  /// Answers 503 with `Retry-After`, and browsers with a page that reloads itself, until the site
  /// opens.
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
