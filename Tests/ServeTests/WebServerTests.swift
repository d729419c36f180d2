import FlyingFox
import Formats
import Foundation
import Search
import SearchTestSupport
import TestSupport
import Testing

@testable import Serve

/// A server on a free port with the videos of a small index, some of which have files.
final class TestServer: Sendable {
  let server: WebServer
  let folder: TemporaryFolder
  let content: [UInt8]
  private let task: Task<Void, any Error>

  /// Generous limits, since parallel tests may keep the server from the processor.
  static var patient: ServerLimits {
    var limits = ServerLimits()
    (limits.requestSeconds, limits.sendSeconds) = (86_400, 86_400)
    return limits
  }

  init(limits: ServerLimits = patient, annotations: String? = nil) throws {
    let model = try SmallModel()
    folder = model.folder
    content = (0..<700_000).map { UInt8(truncatingIfNeeded: $0 * 31 + $0 >> 9) }
    let media = folder.path("clip 1.mp4")
    try Data(content).write(to: URL(fileURLWithPath: media))
    _ = try folder.file("secret.txt", "secret")
    let path = folder.path("index")
    try SmallModel.add(0..<12, to: path, head: try model.open().head) { number in
      switch number {
      case 1: .init(path: media, size: 700_000)
      case 2: .init(path: media, size: 5)
      case 3: .init(path: "/nowhere/clip.mp4", size: 5)
      default: nil
      }
    }
    let searcher = try model.searcher(path)
    var split: SplitAnswers?
    if let annotations {
      let file = try folder.file("split.jsonl", annotations)
      let answers = SplitAnswers(try SplitQueries(path: file, index: searcher.index, model: searcher.model))
      try answers.run(searcher: searcher)
      split = answers
    }
    server = try WebServer(
      host: "127.0.0.1", port: 0, limits: limits,
      handler: SearchSite(searcher: searcher, split: split, isLoopback: true, limits: limits))
    task = Task { [server] in try await server.run() }
  }

  deinit { task.cancel() }

  /// Sends bytes over a new connection and reads until the server closes it.
  ///
  /// It uses a thread of its own, because the server runs on the tests' threads.
  func exchange(_ request: [UInt8]) async throws -> [UInt8] {
    try await withCheckedThrowingContinuation { waiter in
      let thread = Thread { waiter.resume(with: Result { try self.exchangeNow(request) }) }
      thread.start()
    }
  }

  /// Opens a connection, which the caller closes.
  func connection() throws -> Int32 {
    let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = server.port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let connected = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(client, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    try #require(connected == 0)
    return client
  }

  private func exchangeNow(_ request: [UInt8]) throws -> [UInt8] {
    let client = try connection()
    defer { close(client) }
    var limit = timeval(tv_sec: 86_400, tv_usec: 0)
    setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    var sent = 0
    while sent < request.count {
      let count = request.withUnsafeBytes {
        send(client, $0.baseAddress! + sent, request.count - sent, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { break }
      sent += count
    }
    var answer: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = recv(client, &buffer, buffer.count, 0)
      guard count > 0 else { return answer }
      answer += buffer[..<count]
    }
  }

  struct Answer {
    var status: Int
    var head: String
    var body: [UInt8]
    var json: JSON? { try? JSON.parse(body) }
  }

  func get(_ target: String, method: String = "GET", headers: String = "") async throws -> Answer {
    try await answer("\(method) \(target) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\(headers)\r\n")
  }

  func answer(_ request: String) async throws -> Answer {
    let bytes = try await exchange(Array(request.utf8))
    guard let end = RequestHead.end(in: bytes, from: 0) else {
      return Answer(status: 0, head: "", body: bytes)
    }
    let head = String(decoding: bytes[..<end], as: UTF8.self)
    return Answer(status: Int(head.split(separator: " ")[1]) ?? 0, head: head, body: Array(bytes[end...]))
  }
}

@Suite("The server", .serialized)
struct WebServerTests {
  @Test func pages() async throws {
    let server = try TestServer()
    for (path, type) in [
      ("/", "text/html"), ("/style.css", "text/css"), ("/app.js", "text/javascript"), ("/icon.svg", "svg"),
    ] {
      let answer = try await server.get(path)
      #expect(answer.status == 200 && answer.head.contains(type) && !answer.body.isEmpty)
      #expect(answer.head.contains("default-src 'none'"))
      let head = try await server.get(path, method: "HEAD")
      #expect(
        head.status == 200 && head.body.isEmpty && head.head.contains("Content-Length: \(answer.body.count)"))
    }
    // The page loads nothing from elsewhere.
    for path in ["/", "/style.css"]
      + ["app", "cards", "common", "evaluation", "player", "timeline"].map({ "/\($0).js" })
    {
      let text = String(decoding: try await server.get(path).body, as: UTF8.self)
        .replacing("http://www.w3.org/2000/svg", with: "")
      #expect(!text.contains("http://") && !text.contains("https://") && !text.contains("innerHTML"))
    }
  }

  @Test func api() async throws {
    let server = try TestServer()
    #expect(try await server.get("/api/index").json?["videos"]?.int == 12)
    let found = try await server.get("/api/search?limit=4&q=a+man%20walks")
    #expect(found.status == 200 && found.json?["query"]?.string == "a man walks")
    let moments = try #require(found.json?["moments"]?.array)
    #expect(moments.count == 4)
    let number = try #require(moments[0]["number"]?.int)
    #expect(moments[0]["video"]?.string == SmallModel.video(number).name)
    let video = try #require(try await server.get("/api/video/\(number)").json)
    #expect(video["subtitles"]?.array?.count == 2)
    let fit = try #require(try await server.get("/api/align/\(number)?q=a").json)
    #expect(fit["cosines"]?.array?.count == video["frames"]?.int)
    #expect(try await server.get("/api/split").status == 404)
    let picture = try await server.get("/thumbnail/4?t=3")
    #expect(picture.status == 200 && picture.head.contains("image/svg+xml"))
  }

  /// `openapi.json` names every address, its parameters and every member of its answers.
  @Test func openAPI() async throws {
    let server = try TestServer()
    let file = try #require(try await server.get("/openapi.json").json)
    let paths = try #require(file["paths"]?.object)
    #expect(Set(paths.map(\.key)) == Set(SiteAddress.allCases.map(\.rawValue)))
    for address in SiteAddress.allCases {
      let described = try #require(paths[address.rawValue]?["get"])
      let required = (described["parameters"]?.array ?? []).filter { $0["required"]?.bool == true }
      let names = required.compactMap { $0["name"]?.string }
      #expect(names.contains("number") == address.rawValue.hasSuffix("{number}"))
      let query = names.filter { $0 != "number" }.map { "\($0)=a" }.joined(separator: "&")
      let answer = try await server.get(
        address.rawValue.replacing("{number}", with: "1") + (query.isEmpty ? "" : "?\(query)"))
      // This site has no models of videos and no split.
      if [.split, .describe, .ask].contains(address) {
        #expect(answer.status == 404 && answer.json?["error"]?.string?.hasPrefix("no ") == true)
        continue
      }
      // Letters are no times. Other tests check what a cut gives.
      if address == .cut {
        #expect(answer.status == 400 && query == "start=a&end=a")
        continue
      }
      #expect(answer.status == 200, "\(address)")
      let content = try #require(described["responses"]?["200"]?["content"]?.object, "\(address)")
      let type = try #require(content.map(\.key).first { $0 == "*/*" || answer.head.contains($0) })
      if let schema = content[type]?["schema"], let json = answer.json, address != .openAPI {
        try Self.expect(json, as: schema, "\(address)")
      }
    }
  }

  /// Expects an answer and its schema to have the same members.
  private static func expect(_ json: JSON, as schema: JSON, _ place: String) throws {
    if let items = json.array {
      let schema = try #require(schema["items"], "\(place)")
      if let first = items.first { try expect(first, as: schema, place + "[0]") }
    } else if let members = json.object {
      let properties = try #require(schema["properties"]?.object, "\(place)")
      let (given, described) = (Set(members.map(\.key)), Set(properties.map(\.key)))
      // Only videos with a file have a path, and only some queries need a note.
      #expect(given.symmetricDifference(described).subtracting(["path", "note"]).isEmpty, "\(place)")
      for (name, value) in members {
        try expect(value, as: try #require(properties[name], "\(place).\(name)"), "\(place).\(name)")
      }
    }
  }

  @Test func videosAndTheirFiles() async throws {
    let server = try TestServer()
    let all = try #require(try await server.get("/api/videos?first=1&limit=4").json)
    #expect(all["total"]?.int == 12)
    #expect(all["videos"]?.array?.map { $0["number"]?.int } == [1, 2, 3, 4])
    // One file is there, one has changed, one is missing, and one video has no file.
    #expect(all["videos"]?.array?.map { $0["present"]?.bool } == [true, false, false, false])
    #expect(all["videos"]?.array?.map { $0["playable"]?.bool } == [true, true, true, false])
    let name = try #require(
      SmallModel.video(7).name.addingPercentEncoding(withAllowedCharacters: .alphanumerics))
    let found = try #require(try await server.get("/api/videos?name=\(name)").json?["videos"]?.array)
    #expect(found.map { $0["number"]?.int } == [7])
    #expect(try await server.get("/api/videos?text=CLIP%207&first=1").json?["videos"]?.array?.isEmpty == true)
    var index = try await server.get("/api/index").json
    while index?["missing"] == .null { index = try await server.get("/api/index").json }
    #expect(index?["missing"]?.int == 2)

    let kept = try await server.get("/media/1?download=1")
    #expect(kept.head.contains("Content-Disposition: attachment; filename*=UTF-8''clip%201.mp4"))
    let captions = String(decoding: try await server.get("/subtitles/7").body, as: UTF8.self)
    #expect(captions.hasPrefix("WEBVTT\n\n00:00:") && captions.contains(" --> "))
  }

  /// Requests by other sites' pages are refused, while links to the page may stand anywhere.
  @Test func pagesOfOtherSites() async throws {
    let server = try TestServer()
    for (site, mode, target, status) in [
      ("cross-site", "no-cors", "/api/search?q=a", 403), ("same-site", "cors", "/api/index", 403),
      ("cross-site", "no-cors", "/media/1", 403), ("cross-site", "navigate", "/media/1", 403),
      ("cross-site", "navigate", "/?q=a", 200), ("same-origin", "cors", "/api/index", 200),
      ("none", "navigate", "/api/index", 200),
    ] {
      let headers = "Sec-Fetch-Site: \(site)\r\nSec-Fetch-Mode: \(mode)\r\n"
      let answer = try await server.get(target, headers: headers)
      #expect(answer.status == status, "\(site) \(mode) \(target)")
      #expect(answer.head.contains("Cross-Origin-Resource-Policy: same-origin"))
    }
    #expect(try await server.answer("GET / HTTP/1.1\r\nConnection: close\r\n\r\n").status == 400)
    #expect(try await server.answer("GET / HTTP/1.0\r\n\r\n").status == 200)
  }

  /// Connected clients that send nothing, or half of a request, keep nobody out.
  @Test func idleConnections() async throws {
    var limits = TestServer.patient
    limits.connections = 4
    let server = try TestServer(limits: limits)
    var idle: [Int32] = []
    defer { for client in idle { close(client) } }
    for number in 0..<12 {
      let client = try server.connection()
      if number % 2 == 0 { _ = send(client, "GET / HT", 8, Int32(MSG_NOSIGNAL)) }
      idle.append(client)
    }
    for _ in 0..<4 { #expect(try await server.get("/api/index").status == 200) }
  }

  @Test func badParameters() async throws {
    let server = try TestServer()
    let long = String(repeating: "a", count: 1001)
    // The query is short enough in bytes, but has more tokens than the model has positions.
    let manyTokens = String(repeating: "a", count: 900)
    for (target, status) in [
      ("/api/search", 400), ("/api/search?q=", 400), ("/api/search?q=%20", 400), ("/api/search?q=%FF", 400),
      ("/api/search?q=\(long)", 400), ("/api/search?q=a&limit=x", 400), ("/api/search?q=a&limit=-1", 400),
      ("/api/search?q=\(manyTokens)", 400), ("/api/align/1?q=\(manyTokens)", 400),
      ("/api/video/12", 404), ("/api/video/-1", 404), ("/api/video/01", 404),
      ("/api/video/99999999999999999999", 404),
      ("/api/video/", 404), ("/api/align/1", 400), ("/thumbnail/1?t=x", 400), ("/thumbnail/1?t=-1", 400),
      ("/api/nothing", 404), ("/api", 404), ("/nothing", 404),
      ("/media/1/2", 404),
    ] {
      let answer = try await server.get(target)
      #expect(answer.status == status, "\(target)")
      #expect(answer.json?["error"]?.string != nil, "\(target)")
    }
    #expect(try await server.get("/", method: "POST").status == 405)
    #expect(try await server.get("/api/search?q=a&limit=100000").json?["moments"]?.array?.isEmpty == false)
  }

  @Test func filesByRanges() async throws {
    let server = try TestServer()
    let whole = try await server.get("/media/1")
    #expect(
      whole.status == 200 && whole.body == server.content && whole.head.contains("Content-Type: video/mp4"))
    let part = try await server.get("/media/1", headers: "Range: bytes=300000-600000\r\n")
    #expect(part.status == 206 && part.body == Array(server.content[300_000...600_000]))
    #expect(part.head.contains("Content-Range: bytes 300000-600000/700000"))
    #expect(try await server.get("/media/1", headers: "Range: bytes=-7\r\n").body == server.content.suffix(7))
    let past = try await server.get("/media/1", headers: "Range: bytes=700000-\r\n")
    #expect(past.status == 416 && past.head.contains("Content-Range: bytes */700000") && past.body.isEmpty)
    let head = try await server.get("/media/1", method: "HEAD")
    #expect(head.status == 200 && head.body.isEmpty && head.head.contains("Content-Length: 700000"))
    // One file has changed, one is missing, and one video has no file.
    for number in 2...4 { #expect(try await server.get("/media/\(number)").status == 404) }
  }

  /// A range of another file is answered with the whole file.
  @Test func partsAreOfOneFile() async throws {
    let server = try TestServer()
    func tag(of answer: TestServer.Answer) throws -> String {
      let line = answer.head.split(separator: "\r\n").first { $0.hasPrefix("ETag: ") }
      return String(try #require(line).dropFirst(6))
    }
    let tag = try tag(of: await server.get("/media/1"))
    let range = "Range: bytes=10-19\r\n"
    #expect(try await server.get("/media/1", headers: "\(range)If-Range: \(tag)\r\n").status == 206)
    for other in ["\"x\"", "W/\(tag)", "Sat, 29 Nov 2025 02:00:00 GMT"] {
      let answer = try await server.get("/media/1", headers: "\(range)If-Range: \(other)\r\n")
      #expect(answer.status == 200 && answer.body.count == 700_000, "\(other)")
    }
    for known in [tag, "\"x\", W/\(tag)", "*"] {
      let answer = try await server.get("/media/1", headers: "If-None-Match: \(known)\r\n")
      #expect(answer.status == 304 && answer.body.isEmpty && answer.head.contains(tag), "\(known)")
    }
    #expect(try await server.get("/media/1", headers: "If-None-Match: \"x\"\r\n").status == 200)
    // The file is replaced by another of the same size.
    let path = server.folder.path("clip 1.mp4")
    try Data(repeating: 1, count: 700_000).write(to: URL(fileURLWithPath: path))
    let answer = try await server.get("/media/1", headers: "\(range)If-Range: \(tag)\r\n")
    #expect(answer.status == 404 || (answer.status == 200 && answer.body.allSatisfy { $0 == 1 }))
  }

  /// A replaced file of the same size is refused: subtitles and moments belong to the old one.
  @Test func aReplacedFileOfTheSameSizeIsNotServed() async throws {
    let folder = try TemporaryFolder()
    let path = try folder.file("a.mp4", "old content")
    let media = try IndexedVideo.MediaFile(path: path)
    #expect(try OpenedFile(media).size == 11)
    let old = timespec(tv_sec: 1_000_000, tv_nsec: 0)
    // The file is only touched and has the same content.
    #expect(utimensat(AT_FDCWD, path, [old, old], 0) == 0)
    #expect(try OpenedFile(media).size == 11)
    _ = try folder.file("a.mp4", "new content")
    #expect(utimensat(AT_FDCWD, path, [old, old], 0) == 0)
    #expect(throws: RefusedRequest.self) { try OpenedFile(media) }
  }

  @Test func whoComesEarlyIsToldToWait() async throws {
    let site = OpeningSite()
    func request(_ path: String) -> HTTPRequest {
      HTTPRequest(
        method: .GET, version: .http11, target: .init(path: path, query: ""), headers: [:],
        body: HTTPBodySequence())
    }
    let page = try await site.handleRequest(request("/"))
    #expect(page.statusCode.code == 503 && page.headers[HTTPHeader("Retry-After")] == "1")
    #expect(try await String(decoding: page.bodyData, as: UTF8.self).contains("being opened"))
    let refusal = await #expect(throws: RefusedRequest.self) {
      try await site.handleRequest(request("/api/index"))
    }
    #expect(refusal?.status == 503)
    let model = try SmallModel()
    let index = model.folder.path("index")
    try SmallModel.add(0..<2, to: index, head: try model.open().head) { _ in nil }
    site.open(SearchSite(searcher: try model.searcher(index), isLoopback: true))
    #expect(try await site.handleRequest(request("/api/index")).statusCode == .ok)
  }

  @Test func nothingOutsideTheIndexIsServed() async throws {
    let server = try TestServer()
    let secret = server.folder.path("secret.txt")
    for target in [
      "/media/../secret.txt", "/media/..%2fsecret.txt", "/media/%2e%2e/%2e%2e/etc/passwd",
      "/..%2f..%2f..%2fetc/passwd",
      "/../../../../etc/passwd", "//etc/passwd", "/media/1/../../etc/passwd", "/media/%00", "/media/1%00.txt",
      "/..%c0%af..%c0%afetc/passwd", "/%252e%252e/etc/passwd", "\(secret)", "/media\(secret)",
      "/thumbnail/..%2f1",
      "/media/..\\..\\etc\\passwd", "/./media/./../app.js/../../secret.txt",
    ] {
      let answer = try await server.get(target)
      #expect(answer.status == 404, "\(target)")
      #expect(!String(decoding: answer.body, as: UTF8.self).contains("root:") && answer.json?["error"] != nil)
    }
  }

  @Test func otherNamesOfThisMachineAreRefused() async throws {
    let server = try TestServer()
    for host in ["evil.example", "127.0.0.1.evil.example", "localhost.evil:80", ""] {
      let answer = try await server.answer(
        "GET /api/index HTTP/1.1\r\nHost: \(host)\r\nConnection: close\r\n\r\n")
      #expect(answer.status == 421, "\(host)")
    }
    for host in ["localhost:8080", "127.0.0.1", "[::1]:9"] {
      let answer = try await server.answer(
        "GET /api/index HTTP/1.1\r\nHost: \(host)\r\nConnection: close\r\n\r\n")
      #expect(answer.status == 200, "\(host)")
    }
  }

  @Test func malformedAndEndlessRequests() async throws {
    let server = try TestServer()
    #expect(try await server.answer("nonsense\r\n\r\n").status == 400)
    // A browser sends this for https://.
    #expect(try await server.answer("\u{16}\u{3}\u{1}\u{2}").status == 400)
    #expect(
      try await server.answer("GET /\(String(repeating: "a", count: 25_000)) HTTP/1.1\r\n\r\n").status == 414)
    #expect(
      try await server.answer("POST /api/search HTTP/1.1\r\nContent-Length: 9999999\r\n\r\n").status == 413)
    // A head that never ends is answered, or the connection closed, long before all of it is read.
    let endless = Array("GET / HTTP/1.1\r\nA: ".utf8) + [UInt8](repeating: 0x61, count: 4 << 20)
    let answer = String(decoding: try await server.exchange(endless), as: UTF8.self)
    #expect(answer.isEmpty || answer.hasPrefix("HTTP/1.1 431"))
    #expect(try await server.get("/api/index").status == 200)
  }

  @Test func severalRequestsOverOneConnection() async throws {
    let server = try TestServer()
    let request = "GET /icon.svg HTTP/1.1\r\nHost: localhost\r\n\r\n"
    let last = "GET /api/index HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    let bytes = try await server.exchange(Array((request + request + last).utf8))
    let text = String(decoding: bytes, as: UTF8.self)
    #expect(text.components(separatedBy: "HTTP/1.1 200 OK").count == 4)
    #expect(text.hasSuffix("}"))
  }

  @Test(.timeLimit(.minutes(30))) func slowClientsAndCrowds() async throws {
    var limits = TestServer.patient
    limits.requestSeconds = 0.3
    limits.connections = 2
    let server = try TestServer(limits: limits)
    // A client that does not finish its request is disconnected.
    #expect(try await server.exchange(Array("GET / HTTP/1.1\r\nA".utf8)).isEmpty)
    // A client beyond the limit gets 503, and is served once the others have gone.
    let crowd = (0..<2).map { _ in
      Task.detached { try await server.exchange([]) }
    }
    var answers: [Int] = []
    for _ in 0..<200 where answers.last != 503 { answers.append(try await server.get("/icon.svg").status) }
    #expect(Set(answers).isSubset(of: [200, 503, 0]))
    for one in crowd { one.cancel() }
    var status = 0
    while status != 200 {
      status = try await server.get("/icon.svg").status
      if status != 200 { try await Task.sleep(for: .milliseconds(50)) }
    }
  }

  @Test func aSplit() async throws {
    let rows = (0..<5).map { number in
      let name = JSON.string(SmallModel.video(number).name).encoded()
      return #"{"desc_id": \#(number), "desc": "a man \#(number)", "vid_name": \#(name), "ts": [0, 4.5]}"#
    }
    let stranger = #"{"desc_id": 9, "desc": "a", "vid_name": "stranger", "ts": [0, 1]}"#
    let server = try TestServer(annotations: (rows + [stranger]).joined(separator: "\n"))
    let answer = try #require(try await server.get("/api/split").json)
    #expect(answer["total"]?.int == 5 && answer["answered"]?.int == 5)
    let list = try #require(answer["rows"]?.array)
    let ranks = list.map { $0["rank"]?.int ?? .max }
    #expect(list.count == 5 && zip(ranks, ranks.dropFirst()).allSatisfy { $0 >= $1 })
    #expect(answer["recall"]?.array?.count == 3)
    #expect(try await server.get("/api/split?first=4&limit=10").json?["rows"]?.array?.count == 1)
  }

  @Test func aPortThatIsTaken() async throws {
    let server = try TestServer()
    let taken = #expect(throws: DataError.self) {
      try WebServer(host: "127.0.0.1", port: server.server.port, handler: Unused())
    }
    #expect(taken?.description.contains("another program listens there. End it, or choose") == true)
    for (host, reason) in [("no address", "no IP address"), ("192.0.2.1", "not this machine's")] {
      let error = #expect(throws: DataError.self) { try WebServer(host: host, port: 0, handler: Unused()) }
      #expect(error?.description.contains(reason) == true, "\(String(describing: error))")
    }
    #expect(
      WebServer.isLoopback("127.0.0.9") && !WebServer.isLoopback("0.0.0.0")
        && !WebServer.isLoopback("127.evil"))
  }
}

private struct Unused: HTTPHandler {
  func handleRequest(_ request: HTTPRequest) async throws -> HTTPResponse { HTTPResponse(statusCode: .ok) }
}
