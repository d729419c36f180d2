import FlyingFox
import Foundation
import TestSupport
import Testing

@testable import Serve

@Suite("Heads of requests")
struct RequestHeadTests {
  private let limits = ServerLimits()

  private func parse(_ text: String) throws -> HTTPRequest {
    try RequestHead.parse(Array(text.utf8)[...], limits: limits)
  }

  private func status(_ text: String) -> Int? {
    do {
      _ = try parse(text)
      return nil
    } catch { return (error as? RefusedRequest)?.status }
  }

  @Test func aRequest() throws {
    let request = try parse(
      "GET /api/search?q=a%20b&limit=3 HTTP/1.1\r\nHost: localhost:8080\r\nRange: bytes=0-1\r\n\r\n")
    #expect(request.method == .GET && request.target.path() == "/api/search")
    #expect(request.target.query() == "q=a%20b&limit=3")
    #expect(request.headers[.host] == "localhost:8080" && request.headers[.range] == "bytes=0-1")
    #expect(request.wantsMore)
    #expect(try parse("GET / HTTP/1.1\nHost: h\nConnection: close\n\n").wantsMore == false)
    #expect(try parse("GET / HTTP/1.0\n\n").wantsMore == false)
  }

  @Test(arguments: [
    ("", 400), ("\r\n\r\n", 400), ("GET\r\n\r\n", 400), ("GET /\r\n\r\n", 400), ("GET / HTTP/2\r\n\r\n", 400),
    ("GET  / HTTP/1.1\r\nHost: h\r\n\r\n", 400), ("G<T / HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    ("get / HTTP/1.1\r\nHost: h\r\n\r\n", 405), ("gEt / HTTP/1.1\r\nHost: h\r\n\r\n", 405),
    ("GET http://x/ HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    ("GET /\u{7F} HTTP/1.1\r\nHost: h\r\n\r\n", 400), ("GET /é HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: h\r\nno colon\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: h\r\nA : b\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: h\r\n folded\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: h\r\nA: b\u{1}\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n", 413),
    ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", 413),
    ("GET / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", 413),
    ("GET / HTTP/1.1\r\n\r\n", 400),
  ])
  func whatIsNoneIsRefused(_ text: String, _ expected: Int) { #expect(status(text) == expected) }

  @Test func sizes() {
    let long = String(repeating: "a", count: limits.targetBytes)
    #expect(status("GET /\(long) HTTP/1.1\r\n\r\n") == 414)
    let headers = (0...limits.headers).map { "A\($0): b\r\n" }.joined()
    #expect(status("GET / HTTP/1.1\r\n\(headers)\r\n") == 431)
  }

  @Test func ends() {
    for (text, end) in [("a\r\n\r\nb", 5), ("a\n\nb", 3), ("a\n\r\nb", 4), ("a\r\n\r", nil), ("a\nb\n", nil)]
      as [(String, Int?)]
    {
      let bytes = Array(text.utf8)
      // The end is found in whatever pieces the bytes come.
      for searched in 0...bytes.count where (end ?? bytes.count) > searched {
        #expect(
          RequestHead.end(in: bytes, from: searched) == end, "\(text.debugDescription) from \(searched)")
      }
    }
  }

  @Test func damagedHeads() {
    let head = Array("GET /media/3?a=%2e HTTP/1.1\r\nHost: localhost\r\nRange: bytes=5-\r\n\r\n".utf8)
    for damaged in Damage.truncations(head) + Damage.flips(head) {
      do { _ = try RequestHead.parse(damaged[...], limits: limits) } catch {
        #expect(error is RefusedRequest)
      }
    }
  }

  @Test(
    arguments: [
      ("bytes=0-9", 0..<10), ("bytes=90-", 90..<100), ("bytes=-10", 90..<100), ("bytes=95-200", 95..<100),
      ("bytes=-1000", 0..<100), ("bytes=100-", 0..<0), ("bytes=-0", 100..<100), ("bytes=99-99", 99..<100),
      ("bytes=9-0", nil), ("bytes=-", nil), ("bytes=0-1,5-6", nil), ("items=0-1", nil), ("bytes=a-b", nil),
      ("bytes=99999999999999999999-", nil),
    ] as [(String, Range<Int>?)])
  func ranges(_ text: String, _ expected: Range<Int>?) {
    #expect(FileAnswer.range(text, size: 100) == expected)
    #expect(FileAnswer.range(text, size: 0).map(\.isEmpty) ?? true)
  }
}
