import Corpus
import Formats

/// A store of questions with answers, or of statements.
public protocol AskingStore: AnnotationStore {
  /// The word for an entry in messages.
  static var entryName: String { get }
  /// Whether entries are about moments.
  static var hasMoments: Bool { get }
  /// Returns the entries to train on together with `id`, including `id`.
  func group(of id: String) -> [String]
  /// Reads an entry.
  /// - Throws: `DataError` if the store lacks the entry or cannot decode it.
  func asked(_ id: String) throws -> AskedEntry
}

/// A question with its answers, or a statement, about a video.
public struct AskedEntry: Sendable {
  /// The video's name; nil where it is not known.
  public var video: String?
  /// The texts that follow the video's sentences: one per answer, or a statement.
  public var texts: [[Int32]]
  /// The right answer's place, or a statement's truth (0, 1); nil where hidden.
  public var target: Int?
  /// The moment that the entry is about; nil where there is none, or none that parses.
  public var span: TimeSpan?

  /// Returns `[SEP] question [SEP] answer` for each answer; `[SEP] answer` without a question.
  static func texts(question: [Int32]?, answers: [[Int32]], sep: Int32) -> [[Int32]] {
    answers.map { (question.map { [sep] + $0 } ?? []) + [sep] + $0 }
  }
}

extension QAStore: AskingStore {
  /// The word for an entry, as in `question 123`.
  public static var entryName: String { "question" }
  /// Whether an entry may have a span, which trains the span loss: true.
  public static var hasMoments: Bool { true }

  /// Returns the question alone: answers are compared only within it.
  public func group(of id: String) -> [String] { [id] }

  /// Reads a question with its answers.
  ///
  /// - Throws: `DataError` if the store lacks the question or cannot decode it.
  public func asked(_ id: String) throws -> AskedEntry {
    let question = try question(id)
    return AskedEntry(
      video: question.video,
      texts: AskedEntry.texts(question: question.tokens, answers: question.answers, sep: meta.sep),
      target: question.target, span: question.span)
  }
}

extension ViolinStore: AskingStore {
  /// The word for an entry, as in `statement 123`.
  public static var entryName: String { "statement" }
  /// Whether statements have moments: false, for they are about whole clips.
  public static var hasMoments: Bool { false }

  /// Returns a statement and its opposite.
  public func group(of id: String) -> [String] { [id] + (pair(of: id).map { [$0] } ?? []) }

  /// Reads a statement; its target is 1 if the label is true, 0 if false.
  ///
  /// - Throws: `DataError` if the store lacks the statement or cannot decode it.
  public func asked(_ id: String) throws -> AskedEntry {
    let statement = try statement(id)
    return AskedEntry(
      video: statement.video, texts: [[meta.sep] + statement.tokens],
      target: statement.label.map { $0 ? 1 : 0 })
  }
}
