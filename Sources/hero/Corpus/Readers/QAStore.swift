import Formats

/// A question about a video with answers to choose from.
public struct Question: Sendable, Equatable {
  /// The key in the store, such as TVQA's `qid`.
  public let id: String
  /// The video's name, or nil where the store does not give it.
  public let video: String?
  /// The question's token ids, or nil where there are only futures to choose from (VLEP).
  public let tokens: [Int32]?
  /// Token ids of each answer, without special tokens.
  public let answers: [[Int32]]
  /// The place of the right answer, or nil on hidden splits.
  public let target: Int?
  /// The moment that shows the answer, or nil if it is not annotated ("nan-nan" in TVQA).
  public let span: TimeSpan?
}

/// A store of questions: `tvqa`, `how2qa`, or `vlep`, which only asks which of two events follows.
///
/// Source: `QaQueryTokLmdb` of the reference.
public final class QAStore: AnnotationStore {
  /// The records by id, with their lengths and videos.
  public let texts: TextStore

  /// - Throws: `DataError` where the folder is no store, or one of another task.
  public init(path: String) throws {
    texts = try TextStore(path: path) { content in
      if case .questions = content { true } else { content == .futures }
    }
  }

  /// Returns the question `id`.
  public func question(_ id: String) throws -> Question {
    let record = try texts.record(id)
    let lists = try record.tokenLists("input_ids")
    let asks = meta.task != "vlep"
    let answers = Array(lists.dropFirst(asks ? 1 : 0))
    guard !answers.isEmpty else { throw record.error("a question without answers") }
    var target: Int?
    if let field = record["target"] {
      guard let place = field.int, place >= 0, place < answers.count else {
        throw record.error("\"target\" is not the place of one of \(answers.count) answers")
      }
      target = place
    }
    let text = record["ts"]?.string
    let span = if let text { TimeSpan(text) } else { TimeSpan(record["ts"]) }
    if span == nil, record["ts"] != nil, text.map({ !TimeSpan.isUnmarked($0) }) ?? true {
      throw record.error("\"ts\" is neither a moment [start, end] nor a text \"start-end\"")
    }
    return Question(
      id: id, video: texts.video(of: id, in: record), tokens: asks ? lists[0] : nil, answers: answers,
      target: target, span: span)
  }
}
