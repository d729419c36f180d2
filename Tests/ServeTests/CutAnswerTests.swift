import FlyingFox
import Formats
import Foundation
import Search
import SearchTestSupport
import TestSupport
import Testing

@testable import Serve

/// Moments that the server cuts into files.
@Suite struct CutAnswerTests {
  private let model: SmallModel
  private let index: String
  /// This test's own folder, since other tests cut at the same time.
  private let scratch: String
  private let video = Fixtures.path("Vision/restarts.ts")

  init() throws {
    model = try SmallModel()
    let (path, video) = (model.folder.path("index"), video)
    let size = try PlainFile.size(video)
    let garbage = try model.folder.file("garbage.mp4", "garbage")
    try SmallModel.add(0..<5, to: path, head: try model.open().head) { number in
      switch number {
      case 0: .init(path: video, size: size)
      case 1: .init(path: video, size: 5)
      case 2: .init(path: garbage, size: 7)
      case 3: .init(path: "/nowhere/clip.mp4", size: 5)
      default: nil
      }
    }
    index = path
    scratch = model.folder.path("cuts")
    try FileManager.default.createDirectory(atPath: scratch, withIntermediateDirectories: false)
  }

  private func answer(_ target: String, limits: ServerLimits = ServerLimits()) async throws -> HTTPResponse {
    let site = SearchSite(
      searcher: try model.searcher(index), isLoopback: true, limits: limits, scratch: scratch)
    let head = "GET \(target) HTTP/1.1\r\nHost: localhost\r\n\r\n"
    return try await site.handleRequest(try RequestHead.parse(Array(head.utf8)[...], limits: limits))
  }

  private func status(_ target: String, limits: ServerLimits = ServerLimits()) async throws -> Int {
    do {
      return try await answer(target, limits: limits).statusCode.code
    } catch let error as RefusedRequest {
      return error.status
    }
  }

  @Test func aMomentIsADownload() async throws {
    let answer = try await answer("/cut/0?start=2.5&end=3.5")
    #expect(answer.statusCode.code == 200 && answer.headers[.contentType] == "video/mp4")
    let disposition = answer.headers[HTTPHeader("Content-Disposition")]
    #expect(disposition?.hasPrefix("attachment; filename*=UTF-8''") == true)
    #expect(disposition?.hasSuffix("_2.5-3.5.mp4") == true)
    let bytes = [UInt8](try await answer.bodyData)
    #expect(bytes.count > 500 && bytes[4..<8].elementsEqual("ftyp".utf8))
    // No temporary file remains.
    #expect(try FileManager.default.contentsOfDirectory(atPath: scratch).isEmpty)
  }

  @Test(arguments: [
    ("/cut/0", 400), ("/cut/0?start=1", 400), ("/cut/0?start=2&end=1", 400), ("/cut/0?start=a&end=b", 400),
    ("/cut/0?start=0&end=1e300", 400), ("/cut/0?start=0&end=601", 400), ("/cut/9?start=0&end=1", 404),
    ("/cut/1?start=0&end=1", 404), ("/cut/2?start=0&end=1", 422), ("/cut/3?start=0&end=1", 404),
    ("/cut/4?start=0&end=1", 404), ("/cut/0?start=500&end=501", 422),
  ]) func othersAreRefused(target: String, wanted: Int) async throws {
    #expect(try await status(target) == wanted)
  }

  @Test func limitsHold() async throws {
    for change in [
      { (limits: inout ServerLimits) in limits.cuts = 0 }, { $0.cutBytes = 300 }, { $0.cutSeconds = 0 },
    ] {
      var limits = ServerLimits()
      change(&limits)
      let status = try await status("/cut/0?start=0&end=3", limits: limits)
      #expect(status == (limits.cuts == 0 ? 503 : 422))
    }
  }
}
