import Corpus
import Formats

/// A store of questions with answers, or of statements.
public protocol AskingStore: AnnotationStore {
  /// What an entry is called in messages.
  static var entryName: String { get }
  /// Whether entries are about moments.
  static var hasMoments: Bool { get }
  /// The entries that are trained on together with `id`, itself among them.
  func group(of id: String) -> [String]
  /// Reads an entry.
  /// - Throws: `DataError` where the store lacks or cannot decode it.
  func asked(_ id: String) throws -> AskedEntry
}

/// A question with its answers, or a statement, about a video.
public struct AskedEntry: Sendable {
  /// The video's name; nil where the entry has none that is known.
  public var video: String?
  /// What follows the video's sentences: one text for each answer, or a statement.
  public var texts: [[Int32]]
  /// The right answer's place or a statement's truth (0, 1); nil where hidden.
  public var target: Int?
  /// The moment that it is about; nil where there is none, or none that parses.
  public var span: TimeSpan?

  /// `[SEP] question [SEP] answer` of each answer; `[SEP] answer` without a question.
  static func texts(question: [Int32]?, answers: [[Int32]], sep: Int32) -> [[Int32]] {
    answers.map { (question.map { [sep] + $0 } ?? []) + [sep] + $0 }
  }
}

extension QAStore: AskingStore {
  /// As in "question 123 has no answer".
  public static var entryName: String { "question" }
  /// An entry may have a span, which trains the span loss.
  public static var hasMoments: Bool { true }

  /// The question alone: answers are compared within it.
  public func group(of id: String) -> [String] { [id] }

  /// Reads a question with its answers.
  ///
  /// - Throws: `DataError` where the store lacks or cannot decode it.
  public func asked(_ id: String) throws -> AskedEntry {
    let question = try question(id)
    return AskedEntry(
      video: question.video,
      texts: AskedEntry.texts(question: question.tokens, answers: question.answers, sep: meta.sep),
      target: question.target, span: question.span)
  }
}

extension ViolinStore: AskingStore {
  /// As in "statement 123".
  public static var entryName: String { "statement" }
  /// Statements are about whole clips; there is no span loss.
  public static var hasMoments: Bool { false }

  /// A statement and its opposite.
  public func group(of id: String) -> [String] { [id] + (pair(of: id).map { [$0] } ?? []) }

  /// Reads a statement; its target is 1 if it is labelled true, 0 if false.
  ///
  /// - Throws: `DataError` where the store lacks or cannot decode it.
  public func asked(_ id: String) throws -> AskedEntry {
    let statement = try statement(id)
    return AskedEntry(
      video: statement.video, texts: [[meta.sep] + statement.tokens],
      target: statement.label.map { $0 ? 1 : 0 })
  }
}
