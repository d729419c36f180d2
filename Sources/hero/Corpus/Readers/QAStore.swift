import Formats

/// A question about a video with answers to choose from.
public struct Question: Sendable, Equatable {
  public let id: String
  public let video: String?
  public let tokens: [Int32]
  public let answers: [[Int32]]
  /// The place of the right answer, or nil on hidden splits.
  public let target: Int?
  /// Where the answer is seen, or nil if that is not annotated or does not parse.
  public let span: TimeSpan?
}

/// A store of questions: `tvqa` or `how2qa`. May be shared by threads.
///
/// Source: `QaQueryTokLmdb` of the reference.
public final class QAStore: Sendable {
  /// The folder, as the user named it.
  public let path: String
  private let store: TextStore

  /// Opens the store; reads its side files only.
  public init(path: String) throws {
    self.path = path
    store = try TextStore(path: path)
  }

  public var meta: StoreMeta { store.meta }

  /// The ids in the order of `id2len.json`.
  public var ids: [String] { store.ids }

  /// The ids whose question and longest answer together have at most `maxTextLength` tokens; all, if it is not positive.
  public func ids(maxTextLength: Int) -> [String] {
    guard maxTextLength > 0 else { return ids }
    return zip(store.ids, store.lengths)
      .filter { Int($1.own) + Int($1.longestAnswer) <= maxTextLength }.map(\.0)
  }

  public func video(of id: String) -> String? { store.video(of: id) }

  /// The distinct videos that the questions are about.
  public var videos: [String] { store.videos.names }

  /// The question `id`.
  public func question(_ id: String) throws -> Question {
    let record = try store.record(id)
    let lists = try record.tokenLists("input_ids")
    guard lists.count >= 2 else { throw record.error("a question without answers") }
    var target: Int?
    if let field = record["target"] {
      guard let place = field.int, place >= 0, place < lists.count - 1 else {
        throw record.error("\"target\" is not the place of one of \(lists.count - 1) answers")
      }
      target = place
    }
    return Question(
      id: id, video: store.video(of: id) ?? record.video, tokens: lists[0], answers: Array(lists.dropFirst()),
      target: target, span: record["ts"]?.string.flatMap { TimeSpan($0) } ?? TimeSpan(record["ts"]))
  }
}
