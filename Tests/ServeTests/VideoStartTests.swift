import FlyingFox
import Formats
import Search
import SearchTestSupport
import Testing

@testable import Serve

/// Players learn a file's start on its container's clock, which they add to every time.
@Test func playersAreToldWhereFilesBegin() async throws {
  let model = try SmallModel()
  let path = model.folder.path("index")
  try SmallModel.add(0..<2, to: path, head: try model.open().head) { number in
    number == 0 ? .init(path: "/videos/a.mkv", size: 5, start: 100) : nil
  }
  let site = SearchSite(searcher: try model.searcher(path), isLoopback: true)
  for (number, start) in [100.0, 0].enumerated() {
    let request = try RequestHead.parse(
      Array("GET /api/video/\(number) HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8)[...], limits: ServerLimits())
    let answer = try await site.handleRequest(request)
    #expect(try JSON.parse([UInt8](try await answer.bodyData))["start"]?.double == start)
  }
}
