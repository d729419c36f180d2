import FlyingFox
import Formats
import Foundation
import Search
import Synchronization
import Training

/// The page, its files, and the answers under `/api`.
///
///     /api/index                  what is searched
///     /api/search?q=…&limit=…     the best moments
///     /api/video/N                a video's subtitles
///     /api/align/N?q=…            how a query fits video N, frame by frame
///     /api/describe/N?start=…     a moment of video N in words
///     /api/ask/N?q=…&a=…          which answer to a question about video N is right
///     /api/split?…                the queries of a split with what was found for them
///     /media/N                    the file of video N, by ranges
///     /thumbnail/N?t=…            a picture of video N at a time
public struct SearchSite: HTTPHandler {
  let searcher: any VideoSearcher
  let models: VideoModels?
  private let split: SplitAnswers?
  private let limits: ServerLimits
  private let isLoopback: Bool
  private let queue = DispatchQueue(label: "hero.search")
  private let waiting = Counter()
  private let pictures = Pictures()

  /// Moments of an answer where the request does not say, and at most.
  private static let usualLimit = 20
  private static let largestLimit = 200

  private final class Counter: Sendable { let value = Atomic<Int>(0) }

  /// - Parameters:
  ///   - models: what describes moments and answers questions, where that is wanted.
  ///   - split: the answers to a split's queries, where they are to be shown.
  ///   - isLoopback: whether only this machine is served: then requests under another machine's name are refused, so that no
  ///     page of the network can have its name point here and read along.
  public init(
    searcher: any VideoSearcher, models: VideoModels? = nil, split: SplitAnswers? = nil, isLoopback: Bool,
    limits: ServerLimits = ServerLimits()
  ) {
    self.models = models
    (self.searcher, self.split, self.isLoopback, self.limits) = (searcher, split, isLoopback, limits)
  }

  public func handleRequest(_ request: HTTPRequest) async throws -> HTTPResponse {
    guard request.method == .GET || request.method == .HEAD else {
      throw RefusedRequest(status: 405, reason: "only GET and HEAD are answered")
    }
    if isLoopback, let host = request.headers[.host], !Self.isThisMachine(host) {
      throw RefusedRequest(status: 421, reason: "this server answers as localhost only")
    }
    // As it was sent: nothing is decoded, so that no spelling of ".." means anything.
    let parts = request.target.path().split(separator: "/", omittingEmptySubsequences: true).map(String.init)
    switch (parts.first, parts.count) {
    case ("api", 2...3): return try await api(Array(parts.dropFirst()), request)
    case ("media", 2):
      let number = try video(parts[1])
      guard let file = try searcher.index.video(number).file else {
        throw RefusedRequest(status: 404, reason: "the index names no file for this video")
      }
      return try FileAnswer.response(file.path, size: file.size, to: request, chunk: limits.chunkBytes)
    case ("thumbnail", 2): return try await thumbnail(try video(parts[1]), request)
    default:
      guard let file = PageFile.named(request.target.path()) else {
        throw RefusedRequest(status: 404, reason: "there is no such page")
      }
      return HTTPResponse(
        statusCode: .ok, headers: [.contentType: file.type, .cacheControl: "no-cache"], body: file.content)
    }
  }

  private static func isThisMachine(_ host: String) -> Bool {
    let name = host.hasPrefix("[") ? host.prefix { $0 != "]" }.dropFirst() : host.prefix { $0 != ":" }
    return WebServer.isLoopback(String(name))
  }

  private func api(_ parts: [String], _ request: HTTPRequest) async throws -> HTTPResponse {
    let parameters = try RequestParameters(request)
    switch (parts[0], parts.count) {
    case ("index", 1): return HTTPResponse(json: index)
    case ("search", 1):
      let (query, limit) = (try parameters.query(), try limit(parameters))
      return try await searching { searcher in
        let begun = DispatchTime.now().uptimeNanoseconds
        let moments = try searcher.find(query, limit: limit)
        let seconds = Double(DispatchTime.now().uptimeNanoseconds - begun) * 1e-9
        return searcher.json(query, moments, seconds: seconds)
      }
    case ("video", 2): return HTTPResponse(json: try searcher.index.video(try video(parts[1])).json)
    case ("align", 2):
      let (query, number) = (try parameters.query(), try video(parts[1]))
      return try await searching { try $0.align(query, video: number).json }
    case ("describe", 2): return try await describe(try video(parts[1]), parameters)
    case ("ask", 2): return try await ask(try video(parts[1]), parameters)
    case ("split", 1):
      guard let split else { throw RefusedRequest(status: 404, reason: "no annotations were given") }
      return HTTPResponse(
        json: split.json(first: try parameters.number("first") ?? 0, count: try limit(parameters)))
    default: throw RefusedRequest(status: 404, reason: "there is no such answer")
    }
  }

  private var index: JSON {
    [
      "videos": .int(searcher.index.count), "frames": .int(searcher.index.rows),
      "frame_interval": .double(searcher.index.head.frameInterval), "has_split": .bool(split != nil),
      "made_with": .string(searcher.index.head.origin), "longest_query": .int(MomentSearcher.longestQuery),
      "describe": .bool(models?.describes ?? false), "ask": .bool((models?.mostAnswers ?? 0) > 0),
      "most_answers": .int(models?.mostAnswers ?? 0),
    ]
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

  /// Runs a search, or another model's work, on the one thread that does; refuses where too many wait for it.
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

  private func thumbnail(_ number: Int, _ request: HTTPRequest) async throws -> HTTPResponse {
    let time = try RequestParameters(request)["t"].map { text in
      guard let time = Double(text), (0..<1e7).contains(time) else {
        throw RefusedRequest(status: 400, reason: "\"t\" is no time")
      }
      return time
    }
    var headers: HTTPHeaders = [.cacheControl: "private, max-age=3600"]
    let video = try searcher.index.video(number)
    if let file = video.file, FileAnswer.isUnchanged(file.path, size: file.size),
      let picture = await pictures.jpeg(of: file.path, at: time ?? video.duration / 2)
    {
      headers[.contentType] = "image/jpeg"
      return HTTPResponse(statusCode: .ok, headers: headers, body: Data(picture))
    }
    headers[.contentType] = "image/svg+xml"
    return HTTPResponse(statusCode: .ok, headers: headers, body: Data(Placeholder.svg(of: video.name).utf8))
  }
}

extension IndexedVideo {
  var json: JSON {
    [
      "video": .string(name), "duration": .double(duration), "frames": .int(frames),
      "playable": .bool(file != nil), "start": .double(file?.start ?? 0),
      "subtitles": .array(
        sentences.map { ["start": .double($0.start), "end": .double($0.end), "text": .string($0.text)] }),
    ]
  }
}

extension Alignment {
  var json: JSON {
    func list(_ values: [Float]) -> JSON { .array(values.map { .double(Double($0)) }) }
    return [
      "cosines": list(cosines), "moments": list(moments),
      "best": .array(
        best.prefix(5).map {
          [
            "start": .double(Double($0.start)), "end": .double(Double($0.end)),
            "score": .double(Double($0.score)),
          ]
        }),
    ]
  }
}
