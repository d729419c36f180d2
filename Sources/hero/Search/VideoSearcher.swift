import Formats

/// Answers queries from an index. Threads may share it; they take turns.
public protocol VideoSearcher: AnyObject, Sendable {
  /// The index that is searched.
  var index: IndexFile { get }
  /// Whether answers may lack a video that comparing with every frame would find.
  var isApproximate: Bool { get }
  /// How moments are found and ranked, for those who read JSON.
  var ranking: JSON { get }
  /// The best moments for a query, the best first, none overlapping a better one too much.
  /// - Throws: `UsageError` for a query that cannot be asked.
  func find(_ text: String, limit: Int) throws -> [FoundMoment]
  /// How a query fits one video.
  func align(_ text: String, video: Int) throws -> Alignment
  /// What a person should know of how a query is read; nil where there is nothing.
  func note(on text: String) -> String?
}

extension VideoSearcher {
  /// An answer as `hero search --json` and the server give it.
  /// - Parameter seconds: that it took.
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
  /// nil: a trained model reads every query that it takes.
  public func note(on text: String) -> String? { nil }
}
