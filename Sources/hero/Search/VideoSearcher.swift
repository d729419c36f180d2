import Formats

/// Answers queries from an index. Threads may share it; they take turns.
public protocol VideoSearcher: AnyObject, Sendable {
  /// The index that is searched.
  var index: IndexFile { get }
  /// Whether answers may lack a video that comparing with every frame would find.
  var isApproximate: Bool { get }
  /// The methods that find and rank moments, for readers of the JSON.
  var ranking: JSON { get }
  /// Returns the best moments for a query, best first, none overlapping a better one too much.
  /// - Throws: `UsageError` for a query that cannot be asked.
  func find(_ text: String, limit: Int) throws -> [FoundMoment]
  /// Returns how a query fits one video.
  func align(_ text: String, video: Int) throws -> Alignment
  /// Returns a note on how a query is read; nil if there is nothing to say.
  func note(on text: String) -> String?
}

extension VideoSearcher {
  /// Returns an answer as `hero search --json` and the server give it.
  /// - Parameter seconds: the time that the answer took.
  public func json(_ query: String, _ moments: [FoundMoment], seconds: Double) -> JSON {
    var json: JSONObject = [
      "query": .string(query), "seconds": .double(seconds), "approximate": .bool(isApproximate),
      "ranking": ranking, "moments": .array(moments.map(\.json)),
    ]
    json["note"] = note(on: query).map { .string($0) }
    return .object(json)
  }
}

extension MomentSearcher: VideoSearcher {
  /// `{"by": "hero"}`.
  public var ranking: JSON { ["by": "hero"] }
  /// Returns nil, as a trained model reads the whole of every query that it accepts.
  public func note(on text: String) -> String? { nil }
}
