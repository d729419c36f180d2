import FlyingFox
import Formats
import Foundation
import Search
import Synchronization
import Training

/// The page, its files and the answers under `/api`.
///
/// `SiteAddress` lists the addresses.
public struct SearchSite: HTTPHandler {
  let searcher: any VideoSearcher
  let models: VideoModels?
  let limits: ServerLimits
  let cutting = Counter()
  let scratch: String
  private let split: SplitAnswers?
  private let isLoopback: Bool
  private let queue = DispatchQueue(label: "hero.search")
  private let waiting = Counter()
  private let pictures = Pictures()
  private let missing: MissingFiles
  /// The modification time of the index in seconds since 1970.
  private let updated: Double?

  /// The default number of moments or videos in an answer, and the maximum.
  private static let usualLimit = 20
  private static let largestLimit = 200

  final class Counter: Sendable { let value = Atomic<Int>(0) }

  /// Creates the site of an index.
  ///
  /// - Parameters:
  ///   - models: the models that describe moments and answer questions; nil for none.
  ///   - split: the answers to a split's queries; nil to show none.
  ///   - isLoopback: whether only this machine is served. Then requests that name another host are
  ///     refused, so that no foreign page can read the site by pointing its name here.
  ///   - scratch: the folder in which moments are cut before they are sent.
  public init(
    searcher: any VideoSearcher, models: VideoModels? = nil, split: SplitAnswers? = nil, isLoopback: Bool,
    limits: ServerLimits = ServerLimits(), scratch: String = FileManager.default.temporaryDirectory.path
  ) {
    self.models = models
    self.scratch = scratch
    missing = MissingFiles(searcher.index)
    var status = stat()
    updated = stat(searcher.index.path, &status) == 0 ? Double(status.st_mtim.tv_sec) : nil
    (self.searcher, self.split, self.isLoopback, self.limits) = (searcher, split, isLoopback, limits)
  }

  /// Answers GET and HEAD with a file of the page, a stretch of a video, or JSON.
  ///
  /// - Throws: `RefusedRequest` with the status and the reason that the client gets.
  public func handleRequest(_ request: HTTPRequest) async throws -> HTTPResponse {
    guard request.method == .GET || request.method == .HEAD else {
      throw RefusedRequest(status: 405, reason: "only GET and HEAD are answered")
    }
    if isLoopback, let host = request.headers[.host], !Self.isThisMachine(host) {
      throw RefusedRequest(status: 421, reason: "this server answers as localhost only")
    }
    // The path is not decoded, so no spelling of ".." has a meaning.
    let path = request.target.path()
    try Self.refuseOtherSites(request, path)
    guard let (address, number) = SiteAddress.of(path) else {
      guard let file = PageFile.named(path) else {
        throw RefusedRequest(status: 404, reason: "there is no such page")
      }
      return HTTPResponse(
        statusCode: .ok, headers: [.contentType: file.type, .cacheControl: "no-cache"], body: file.content)
    }
    let parameters = try RequestParameters(request)
    switch address {
    case .index: return HTTPResponse(json: index)
    case .search: return try await search(parameters)
    case .videos: return try await videos(parameters)
    case .split: return HTTPResponse(json: try split(parameters))
    case .openAPI:
      return HTTPResponse(
        statusCode: .ok, headers: [.contentType: "application/json", .cacheControl: "no-cache"],
        body: Data(PackageResources.openapi_json))
    case .video: return HTTPResponse(json: try json(of: try video(number)))
    case .align:
      let (query, video) = (try parameters.query(), try video(number))
      return try await searching { try $0.align(query, video: video).json }
    case .describe: return try await describe(try video(number), parameters)
    case .ask: return try await ask(try video(number), parameters)
    case .media:
      guard let file = try searcher.index.video(try video(number)).file else {
        throw RefusedRequest(status: 404, reason: "the index names no file for this video")
      }
      return try FileAnswer.response(
        file, to: request, chunk: limits.chunkBytes,
        isDownload: parameters["download"] != nil)
    case .cut: return try await cut(try video(number), parameters)
    case .thumbnail: return try await thumbnail(try video(number), parameters)
    case .subtitles:
      let video = try searcher.index.video(try video(number))
      return HTTPResponse(
        statusCode: .ok, headers: [.contentType: "text/vtt; charset=utf-8", .cacheControl: "no-cache"],
        body: Data(WebVTT.text(of: video.sentences, start: video.file?.start ?? 0).utf8))
    }
  }

  /// Refuses requests that another site's page makes through a user's browser (Fetch Metadata).
  ///
  /// A link from another site to the page is allowed.
  private static func refuseOtherSites(_ request: HTTPRequest, _ path: String) throws {
    guard let site = request.headers[HTTPHeader("Sec-Fetch-Site")], site != "same-origin", site != "none"
    else {
      return
    }
    let isLink =
      request.headers[HTTPHeader("Sec-Fetch-Mode")] == "navigate" && (path == "/" || path == "/index.html")
    guard isLink else {
      throw RefusedRequest(status: 403, reason: "pages of other sites are not answered")
    }
  }

  private static func isThisMachine(_ host: String) -> Bool {
    let name = host.hasPrefix("[") ? host.prefix { $0 != "]" }.dropFirst() : host.prefix { $0 != ":" }
    return WebServer.isLoopback(String(name))
  }

  private var index: JSON {
    [
      "name": .string((searcher.index.path as NSString).lastPathComponent),
      "videos": .int(searcher.index.count), "frames": .int(searcher.index.rows),
      "frame_interval": .double(searcher.index.head.frameInterval),
      "updated": updated.map { .double($0) } ?? .null,
      "missing": missing.count.map { .int($0) } ?? .null, "has_split": .bool(split != nil),
      "made_with": .string(origin),
      "longest_query": .int(MomentSearcher.longestQuery),
      "describe": .bool(models?.describes ?? false), "ask": .bool((models?.mostAnswers ?? 0) > 0),
      "most_answers": .int(models?.mostAnswers ?? 0),
    ]
  }

  /// The model that made the index.
  ///
  /// Only this machine sees where its weights lie.
  private var origin: String {
    let origin = searcher.index.head.origin
    return isLoopback ? origin : (origin as NSString).lastPathComponent
  }

  private func search(_ parameters: RequestParameters) async throws -> HTTPResponse {
    let (query, limit) = (try parameters.query(), try limit(parameters))
    return try await searching { searcher in
      let begun = DispatchTime.now().uptimeNanoseconds
      let moments = try searcher.find(query, limit: limit)
      let seconds = Double(DispatchTime.now().uptimeNanoseconds - begun) * 1e-9
      var answer = searcher.json(query, moments, seconds: seconds).object ?? JSONObject()
      // A file is checked once for all moments of its video.
      var files: [Int: [(key: String, value: JSON)]] = [:]
      answer["moments"] = .array(
        moments.map { moment in
          var json = moment.json.object ?? JSONObject()
          let shown = files[moment.number] ?? moment.video.shown(with: isLoopback)
          files[moment.number] = shown
          for (key, value) in shown { json[key] = value }
          return .object(json)
        })
      return .object(answer)
    }
  }

  /// Returns videos in the order of the index: all, those with a name, or those whose names contain
  /// a text.
  private func videos(_ parameters: RequestParameters) async throws -> HTTPResponse {
    let (first, limit) = (try parameters.number("first") ?? 0, try limit(parameters))
    let (name, text) = (parameters["name"], parameters["text"]?.lowercased() ?? "")
    return try await searching { searcher in
      let index = searcher.index
      var (matched, found) = (0, [JSON]())
      let everything = name == nil && text.isEmpty
      for number in (everything ? min(first, index.count) : 0)..<index.count {
        if !everything {
          let own = try index.name(of: number)
          guard name.map({ Name($0) == Name(own) }) ?? own.lowercased().contains(text) else { continue }
        }
        matched += 1
        guard everything || matched > first else { continue }
        if found.count == limit {
          if everything { break }
          continue
        }
        let video = try index.video(number)
        var json: JSONObject = [
          "number": .int(number), "video": .string(video.name), "duration": .double(video.duration),
          "has_subtitles": .bool(!video.sentences.isEmpty), "playable": .bool(video.file != nil),
        ]
        for (key, value) in video.shown(with: isLoopback) { json[key] = value }
        found.append(.object(json))
      }
      return ["total": .int(everything ? index.count : matched), "videos": .array(found)]
    }
  }

  private func split(_ parameters: RequestParameters) throws -> JSON {
    guard let split else { throw RefusedRequest(status: 404, reason: "no annotations were given") }
    return split.json(first: try parameters.number("first") ?? 0, count: try limit(parameters))
  }

  private func json(of number: Int) throws -> JSON {
    let video = try searcher.index.video(number)
    var json = video.json.object ?? JSONObject()
    for (key, value) in video.shown(with: isLoopback) { json[key] = value }
    return .object(json)
  }

  // MARK: Parameters

  private func limit(_ parameters: RequestParameters) throws -> Int {
    min(try parameters.number("limit") ?? Self.usualLimit, Self.largestLimit)
  }

  private func video(_ text: String) throws -> Int {
    guard let number = Int(text), (0..<searcher.index.count).contains(number), String(number) == text else {
      throw RefusedRequest(status: 404, reason: "there is no such video")
    }
    return number
  }

  // MARK: Work

  /// Runs a search or a model's work on the one thread for it.
  ///
  /// Refuses the request if too many wait.
  func searching(_ work: @escaping @Sendable (any VideoSearcher) throws -> JSON) async throws
    -> HTTPResponse
  {
    defer { waiting.value.subtract(1, ordering: .relaxed) }
    guard waiting.value.add(1, ordering: .relaxed).newValue <= limits.searches else {
      throw RefusedRequest(status: 503, reason: "too many searches wait already")
    }
    do {
      let json = try await withCheckedThrowingContinuation {
        (waiter: CheckedContinuation<JSON, any Error>) in
        queue.async { [searcher] in waiter.resume(with: Result { try work(searcher) }) }
      }
      return HTTPResponse(json: json)
    } catch let error as UsageError {
      throw RefusedRequest(status: 400, reason: error.description)
    }
  }

  /// Answers with a picture of a video.
  ///
  /// The browser caches it only if the address names its file, as a number may mean another video
  /// once the index has changed.
  private func thumbnail(_ number: Int, _ parameters: RequestParameters) async throws -> HTTPResponse {
    let time = try parameters["t"].map { text in
      guard let time = Double(text), (0..<1e7).contains(time) else {
        throw RefusedRequest(status: 400, reason: "\"t\" is no time")
      }
      return time
    }
    let video = try searcher.index.video(number)
    var headers: HTTPHeaders = [.cacheControl: "no-cache"]
    if let file = video.file, file.state == .there,
      let picture = await pictures.jpeg(of: file.path, at: time ?? video.duration / 2)
    {
      headers[.contentType] = "image/jpeg"
      if parameters["of"] == video.mark { headers[.cacheControl] = "private, max-age=31536000, immutable" }
      return HTTPResponse(statusCode: .ok, headers: headers, body: Data(picture))
    }
    headers[.contentType] = "image/svg+xml"
    return HTTPResponse(statusCode: .ok, headers: headers, body: Data(Placeholder.svg(of: video.name).utf8))
  }
}
